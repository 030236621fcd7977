import { FileFormatError } from '../../errors.ts';
import type { ByteSource } from '../checkpoint.ts';
import { placeholderText } from './placeholder.ts';

const MEBIBYTE = 1 << 20;
/** Largest accepted companion files. Gemma's tokenizer.json, the largest known, has 33 MB. */
export const JSON_LIMITS = { config: 4 * MEBIBYTE, index: 64 * MEBIBYTE, tokenizer: 256 * MEBIBYTE } as const;

export type JsonRecord = Readonly<Record<string, unknown>>;

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Parses UTF-8 JSON, also as Python writes it, with NaN and Infinity. Throws FileFormatError that names `file` and says what is wrong with it. */
export function parseJson(bytes: Uint8Array, file: string): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FileFormatError(`${file} is not UTF-8 text. Take the file from where it was made.`, { cause });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    const stand = placeholderText(text, file);
    if (stand !== undefined) throw new FileFormatError(stand, { cause });
    const value = parsePython(text);
    if (value !== undefined) return value;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FileFormatError(
      `${file} is not valid JSON: ${reason}. Correct it there, or take the file from where it was made.`,
      { cause },
    );
  }
}

/** What stands for NaN while a text is parsed: no JSON of a model has it. */
const NOT_A_NUMBER = '\u0000NaN';

/** JSON as Python writes it, with NaN, Infinity and -Infinity as numbers; undefined for what is none either. */
function parsePython(text: string): unknown {
  if (!/\b(NaN|Infinity)\b/.test(text)) return undefined;
  const plain = text.replace(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g, (found) => {
    if (found.endsWith('NaN')) return JSON.stringify(NOT_A_NUMBER);
    return found.endsWith('Infinity') ? found.replace('Infinity', '1e999') : found;
  });
  try {
    return JSON.parse(plain, (_, value: unknown) => (value === NOT_A_NUMBER ? Number.NaN : value)) as unknown;
  } catch {
    return undefined;
  }
}

/** A whole number that a file writes with a point or an exponent, as Python keeps and writes it: 1.0, 1e5. */
export class WholeFloat {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** What begins the text that stands for such a number while a file is parsed. */
const FLOAT = '\u0000float ';

/** The same as `parseJson`, with whole numbers that are written as floats as `WholeFloat`. Throws FileFormatError. */
export function parseJsonWithFloats(bytes: Uint8Array, file: string): unknown {
  const value = parseJson(bytes, file);
  const text = new TextDecoder().decode(bytes);
  const marked = text.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (found) =>
    /^-?\d+(\.\d+|(\.\d+)?[eE][+-]?\d+)$/.test(found) && Number.isInteger(Number(found))
      ? JSON.stringify(FLOAT + found)
      : found,
  );
  // Not-a-number stands in no float that is whole; a file that has both is given as it was parsed.
  if (marked === text || /\b(NaN|Infinity)\b/.test(text)) return value;
  return JSON.parse(marked, (_, each: unknown) =>
    typeof each === 'string' && each.startsWith(FLOAT) ? new WholeFloat(Number(each.slice(FLOAT.length))) : each,
  ) as unknown;
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
      `${source.name} has ${source.byteLength} bytes, more than the ${limit} allowed for such a file: it is not what its name says. Take the model's own.`,
    );
  }
  return source.read(0, source.byteLength);
}
