import { FileFormatError } from '../errors.ts';

/** Bytes that are looked at. */
const SAMPLE = 4096;
/** Fewer say nothing. */
const FEWEST = 16;
/** Share of zero bytes that no UTF-8 text has, and UTF-16 of most languages does. */
const ZEROS = 0.1;

/** Share of zero bytes that no text has in any of these encodings. */
const MOST_ZEROS = 0.6;

/**
 * The encoding that bytes at the start of a file look like where it is not UTF-8: by the byte order mark, or, without one, by the zero bytes that UTF-16 has in Latin text (and which would be
 * read as UTF-8 without an error).
 */
function wideEncoding(bytes: Uint8Array): 'UTF-16LE' | 'UTF-16BE' | 'zeros' | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'UTF-16LE';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'UTF-16BE';
  const zeros = [0, 0];
  const sample = bytes.subarray(0, SAMPLE);
  for (const [index, byte] of sample.entries()) if (byte === 0) zeros[index % 2] = (zeros[index % 2] ?? 0) + 1;
  const [even = 0, odd = 0] = zeros;
  if (sample.length < FEWEST || even + odd <= ZEROS * sample.length) return undefined;
  if (even + odd > MOST_ZEROS * sample.length) return 'zeros';
  return odd >= even ? 'UTF-16LE' : 'UTF-16BE';
}

/** Throws FileFormatError for a file that begins as UTF-16 does, or with zeros. */
export function refuseUtf16(name: string, start: Uint8Array): void {
  const encoding = wideEncoding(start);
  if (encoding === 'zeros')
    throw new FileFormatError(
      `${name} is no text: most of its first bytes are zero, as of a file that was not written to its end. Name a file of text.`,
    );
  if (encoding)
    throw new FileFormatError(
      `${name} is ${encoding} text, and UTF-8 is read. Convert it first: iconv -f ${encoding} -t UTF-8, or save it as UTF-8.`,
    );
}

/** What is thrown for other bytes that are no UTF-8. */
export function notUtf8(name: string, where: string, cause: unknown): FileFormatError {
  return new FileFormatError(
    `${name} is not UTF-8 text${where}. Convert it first from the encoding that it is in, e.g. iconv -f WINDOWS-1252 -t UTF-8.`,
    { cause },
  );
}
