import { isRecord, parseJson } from '../checkpoint/files/json.ts';
import { FileFormatError, UsageError } from '../errors.ts';
import { notUtf8, refuseUtf16 } from './encoding.ts';

/** A text file as it was given: name and contents. */
export interface TextFile {
  /** Its ending says what it holds: .jsonl records, others plain text. */
  readonly name: string;
  /** UTF-8. */
  readonly bytes: Uint8Array;
}

const PLAIN = /\.(txt|raw|md|text)$/i;
const JSON_LINES = /\.(jsonl|ndjson)$/i;

/** Whether a file is plain text or JSON lines, by its name. Throws UsageError for another kind of file. */
export function kindOfText(name: string): 'plain' | 'json-lines' {
  if (PLAIN.test(name)) return 'plain';
  if (JSON_LINES.test(name)) return 'json-lines';
  throw new UsageError(
    `${name} is not a kind of text file that is read: plain text (.txt, .raw, .md) or JSON lines with a "text" field (.jsonl).`,
  );
}

/**
 * The texts of a file, by its name: a plain one (.txt, .raw, .md) is one text, taken as it is; JSON lines (.jsonl) have one in the field `text` of each
 * line. Throws UsageError for another kind of file, FileFormatError naming the line that is wrong.
 */
export function readTexts(file: TextFile): string[] {
  return kindOfText(file.name) === 'plain' ? [decode(file)] : readJsonLines(file);
}

/** All texts of all files, joined by blank lines: what is tokenised once and cut into windows. Throws as `readTexts`, and UsageError when there is no text. */
export function joinTexts(files: readonly TextFile[]): string {
  const text = files.flatMap(readTexts).join('\n\n');
  if (text.trim() === '')
    throw new UsageError(
      `There is no text in ${files.map((file) => file.name).join(', ') || 'the files: none were given'}.`,
    );
  return text;
}

/** Longer texts are no string: a runtime has none of more than half a gigabyte. */
const LONGEST_STRING = 500 << 20;

/** UTF-8 text of a file. Throws FileFormatError, and UsageError for one that is too large to be one string. */
export function decode({ name, bytes }: TextFile): string {
  if (bytes.length > LONGEST_STRING)
    throw new UsageError(
      `${name} has ${(bytes.length / 1e6).toFixed(0)} MB, more than one text can have here (${LONGEST_STRING >> 20} MB). Take a part of it.`,
    );
  refuseUtf16(name, bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw notUtf8(name, '', cause);
  }
}

function readJsonLines({ name, bytes }: TextFile): string[] {
  return decode({ name, bytes })
    .split('\n')
    .flatMap((line, i) => (line.trim() === '' ? [] : [textOfLine(name, i + 1, line)]));
}

/** The text of one line of JSON; `number` counts from 1. Throws FileFormatError. */
export function textOfLine(name: string, number: number, line: string): string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new FileFormatError(
      `${name}, line ${number}, is not valid JSON. Each line is an object with a "text" field.`,
      { cause },
    );
  }
  if (!isRecord(value) || typeof value.text !== 'string')
    throw new FileFormatError(`${name}, line ${number}, has no "text" field that is a string.`);
  return value.text;
}

/**
 * Token ids from JSON: an array of arrays of integers, one per window, taken as they are. A window has at least 2 tokens (T tokens give T-1 predictions).
 * Throws FileFormatError naming the window and the place of what is wrong.
 */
export function readTokenIds({ name, bytes }: TextFile, vocabulary: number): Int32Array[] {
  const value = parseJson(bytes, name);
  if (!Array.isArray(value) || value.length === 0) {
    const found = isRecord(value)
      ? 'an object'
      : Array.isArray(value)
        ? 'an empty array'
        : `the ${typeof value} ${JSON.stringify(value).slice(0, 40)}`;
    throw new FileFormatError(`${name} is ${found}; it should be a JSON array of windows: [[1, 2, …], …].`);
  }
  return (value as unknown[]).map((window, i) => {
    if (!Array.isArray(window)) throw new FileFormatError(`${name}: window ${i} is not an array of token ids.`);
    if (window.length < 2)
      throw new FileFormatError(
        `${name}: window ${i} has ${window.length} tokens; at least 2 are needed for one prediction.`,
      );
    const wrong = (window as unknown[]).findIndex(
      (id) => !(Number.isInteger(id) && (id as number) >= 0 && (id as number) < vocabulary),
    );
    if (wrong >= 0) {
      const found = JSON.stringify((window as unknown[])[wrong])?.slice(0, 40);
      throw new FileFormatError(
        `${name}: window ${i} has ${found} at place ${wrong}; token ids of this model are integers from 0 to ${vocabulary - 1}.`,
      );
    }
    return Int32Array.from(window as number[]);
  });
}
