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

/** NAME.part00, .part-1, .part1of2, -split-a, .split-aa, .001, .aa, as splitting tools and people name pieces of a file. */
const PIECE =
  /^(?<whole>.+\.(?:gguf|safetensors|onnx|onnx_data))[.-](?<kind>part-?|split-)?(?:(?<number>\d{1,5})|(?<letters>[a-z]{1,2}))(?:[-_]?of[-_]?(?<total>\d{1,5}))?$/;

interface Piece {
  readonly name: string;
  readonly whole: string;
  /** From 0 or 1 on; letters count from 0. */
  readonly number: number;
  /** How many there are, where the name tells. */
  readonly total: number | undefined;
}

function pieceOf(name: string): Piece | undefined {
  const { whole, kind, number, letters = '', total } = PIECE.exec(name)?.groups ?? {};
  // Two letters alone are as well another file's ending: only aa, ab, … count.
  if (whole === undefined || (number === undefined && kind === undefined && !/^a[a-z]$/.test(letters)))
    return undefined;
  const place = [...letters].reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 97, 0);
  return {
    name,
    whole,
    number: number === undefined ? place : Number(number),
    total: total === undefined ? undefined : Number(total),
  };
}

/** The file that a piece belongs to: 'm.gguf' of 'm.gguf.part03'. Other names stand for themselves. */
export function wholeName(name: string): string {
  return pieceOf(name)?.whole ?? name;
}

/**
 * A folder in which files that were cut into pieces appear whole (`PIECE` has the namings).
 * Opening one throws MissingError naming a piece that is not there.
 */
export async function joinPieces(files: FileAccess): Promise<FileAccess> {
  const names = await files.list();
  const pieces = new Map<string, Piece[]>();
  for (const name of names) {
    const piece = pieceOf(name);
    if (!piece || names.includes(piece.whole)) continue;
    pieces.set(piece.whole, [...(pieces.get(piece.whole) ?? []), piece]);
  }
  if (pieces.size === 0) return files;
  return {
    name: files.name,
    list: async () => [...new Set(names.map((name) => (pieces.has(wholeName(name)) ? wholeName(name) : name)))],
    async open(name) {
      const list = pieces.get(name)?.sort((a, b) => a.number - b.number);
      if (!list) return files.open(name);
      const first = list[0]?.number === 0 ? 0 : 1;
      const total = list.find((piece) => piece.total !== undefined)?.total ?? list.length;
      const sources: ByteSource[] = [];
      for (let i = 0; i < Math.max(total, list.length); i++) {
        const piece = list[i];
        const source = piece?.number === first + i ? await files.open(piece.name) : undefined;
        if (!source)
          throw new MissingError(
            `${files.name} has ${list.length} ${list.length === 1 ? 'piece' : 'pieces'} of ${name}, but not the one with the number ${first + i}. Add it.`,
          );
        sources.push(source);
      }
      return joinedSource(name, sources);
    },
  };
}
