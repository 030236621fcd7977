import type { ByteSource } from './checkpoint.ts';
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
