import { MissingError } from '../../errors.ts';
import type { ByteSource } from '../checkpoint.ts';
import type { FileAccess } from './files.ts';
import { checkRange } from './memory.ts';

/** Files that were cut at arbitrary bytes (model.gguf.part1, .part2, …) as the one that they were. Reads touch only the parts that they need. */
export function joinedSource(name: string, parts: readonly ByteSource[]): ByteSource {
  const starts: number[] = [];
  let byteLength = 0;
  for (const part of parts) {
    starts.push(byteLength);
    byteLength += part.byteLength;
  }
  const source = {
    name,
    byteLength,
    async read(start: number, end: number): Promise<Uint8Array> {
      checkRange(source, start, end);
      const pieces: Uint8Array[] = [];
      for (const [i, part] of parts.entries()) {
        const first = starts[i] ?? 0;
        const [from, to] = [Math.max(start - first, 0), Math.min(end - first, part.byteLength)];
        if (from < to) pieces.push(await part.read(from, to));
      }
      const [only] = pieces;
      if (only && pieces.length === 1) return only;
      const bytes = new Uint8Array(end - start);
      let position = 0;
      for (const piece of pieces) {
        bytes.set(piece, position);
        position += piece.length;
      }
      return bytes;
    },
  };
  return source;
}

const PIECE = /^(.+\.(?:gguf|safetensors|onnx|onnx_data))\.part-?(\d{1,5})$/;

/** The file that a piece belongs to: 'm.gguf' of 'm.gguf.part03'. Other names stand for themselves. */
export function wholeName(name: string): string {
  return PIECE.exec(name)?.[1] ?? name;
}

/**
 * A folder in which files that were cut into pieces (NAME.part00, NAME.part01, … or from 1 on) appear whole.
 * Opening one throws MissingError naming a piece that is not there.
 */
export async function joinPieces(files: FileAccess): Promise<FileAccess> {
  const names = await files.list();
  const pieces = new Map<string, { readonly name: string; readonly number: number }[]>();
  for (const name of names) {
    const [, whole, number] = PIECE.exec(name) ?? [];
    if (whole === undefined || names.includes(whole)) continue;
    const list = pieces.get(whole) ?? [];
    list.push({ name, number: Number(number) });
    pieces.set(whole, list);
  }
  if (pieces.size === 0) return files;
  return {
    name: files.name,
    list: async () => [...new Set(names.map((name) => (pieces.has(wholeName(name)) ? wholeName(name) : name)))],
    async open(name) {
      const list = pieces.get(name)?.sort((a, b) => a.number - b.number);
      if (!list) return files.open(name);
      const first = list[0]?.number === 0 ? 0 : 1;
      const sources: ByteSource[] = [];
      for (const [i, piece] of list.entries()) {
        const source = piece.number === first + i ? await files.open(piece.name) : undefined;
        if (!source)
          throw new MissingError(
            `${files.name} has ${list.length} pieces of ${name}, but not the one with the number ${first + i}. Add it.`,
          );
        sources.push(source);
      }
      return joinedSource(name, sources);
    },
  };
}
