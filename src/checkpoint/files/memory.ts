import { FileFormatError } from '../../errors.ts';
import type { ByteSource } from '../checkpoint.ts';

/** Throws FileFormatError unless 0 <= start <= end <= byteLength: the check that every ByteSource makes before it reads. */
export function checkRange(
  source: { readonly name: string; readonly byteLength: number },
  start: number,
  end: number,
): void {
  if (
    Number.isSafeInteger(start) &&
    Number.isSafeInteger(end) &&
    start >= 0 &&
    start <= end &&
    end <= source.byteLength
  )
    return;
  throw new FileFormatError(
    `${source.name} is truncated: bytes ${start} to ${end} are needed, but it has ${source.byteLength}. Fetch the file again.`,
  );
}

/** Bytes in memory as a ByteSource. Reads are copies, so that their reader owns them. */
export function memorySource(name: string, bytes: Uint8Array): ByteSource {
  const source = {
    name,
    byteLength: bytes.byteLength,
    async read(start: number, end: number): Promise<Uint8Array> {
      checkRange(source, start, end);
      return bytes.slice(start, end);
    },
  };
  return source;
}
