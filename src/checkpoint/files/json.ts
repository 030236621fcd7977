import { FileFormatError } from '../../errors.ts';
import type { ByteSource } from '../checkpoint.ts';

const MEBIBYTE = 1 << 20;
/** Largest accepted companion files. Gemma's tokenizer.json, the largest known, has 33 MB. */
export const JSON_LIMITS = { config: 4 * MEBIBYTE, index: 64 * MEBIBYTE, tokenizer: 256 * MEBIBYTE } as const;

export type JsonRecord = Readonly<Record<string, unknown>>;

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Parses UTF-8 JSON. Throws FileFormatError that names `file` and says what is wrong with it. */
export function parseJson(bytes: Uint8Array, file: string): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FileFormatError(`${file} is not UTF-8 text. Fetch the file again.`, { cause });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FileFormatError(`${file} is not valid JSON: ${reason}. Fetch the file again.`, { cause });
  }
}

/** Parses UTF-8 JSON whose outermost value must be an object. Throws FileFormatError. */
export function parseJsonRecord(bytes: Uint8Array, file: string): JsonRecord {
  const value = parseJson(bytes, file);
  if (isRecord(value)) return value;
  throw new FileFormatError(
    `${file} holds ${Array.isArray(value) ? 'an array' : value === null ? 'null' : `a ${typeof value}`} where an object is expected.`,
  );
}

/** Reads a whole companion file, refusing one larger than `limit` bytes before anything is read. Throws FileFormatError. */
export async function readWhole(source: ByteSource, limit: number): Promise<Uint8Array> {
  if (source.byteLength > limit) {
    throw new FileFormatError(
      `${source.name} has ${source.byteLength} bytes, more than the ${limit} allowed for such a file.`,
    );
  }
  return source.read(0, source.byteLength);
}
