import type { Tokenizer } from '../checkpoint/tokenizer/tokenizer.ts';
import { FileFormatError, throwIfCancelled, UsageError } from '../errors.ts';
import { notUtf8, refuseUtf16 } from './encoding.ts';
import { kindOfText, textOfLine } from './text.ts';

/** A text file that is read in chunks. */
export interface TextSource {
  readonly name: string;
  /** Of the file. */
  readonly byteLength: number;
  chunks(): AsyncIterable<Uint8Array>;
}

/** A line of JSON is one string. */
const LONGEST_LINE = 128 << 20;

/**
 * The text of files in pieces of any length, as `joinTexts` makes one string of it: plain ones as they are, JSON lines by their field `text`, blank lines
 * between. `onBytes` is told how many bytes of the files have been read. Throws as `readTexts`.
 */
export async function* textPieces(
  files: readonly TextSource[],
  onBytes: (count: number) => void = () => undefined,
): AsyncGenerator<string> {
  let isFirst = true;
  for (const file of files) {
    const isPlain = kindOfText(file.name) === 'plain';
    if (isPlain && !isFirst) yield '\n\n';
    if (isPlain) {
      yield* decoded(file, onBytes);
      isFirst = false;
      continue;
    }
    for await (const text of linesOf(file, onBytes)) {
      if (!isFirst) yield '\n\n';
      isFirst = false;
      yield text;
    }
  }
}

async function* decoded({ name, chunks }: TextSource, onBytes: (count: number) => void): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let position = 0;
  const decode = (chunk?: Uint8Array) => {
    try {
      return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
    } catch (cause) {
      const end = position + (chunk?.length ?? 0);
      throw notUtf8(name, `: bytes ${position} to ${end} are something else`, cause);
    }
  };
  for await (const chunk of chunks()) {
    if (position === 0) refuseUtf16(name, chunk);
    const text = decode(chunk);
    position += chunk.length;
    onBytes(chunk.length);
    if (text !== '') yield text;
  }
  const rest = decode();
  if (rest !== '') yield rest;
}

async function* linesOf(file: TextSource, onBytes: (count: number) => void): AsyncGenerator<string> {
  let begun = '';
  let number = 0;
  for await (const piece of decoded(file, onBytes)) {
    const lines = piece.split('\n');
    lines[0] = begun + (lines[0] ?? '');
    begun = lines.pop() ?? '';
    if (begun.length > LONGEST_LINE)
      throw new FileFormatError(
        `${file.name}, line ${number + lines.length + 1}, has more than ${LONGEST_LINE} characters. Break its text into several lines of JSON.`,
      );
    for (const line of lines) {
      number += 1;
      if (line.trim() !== '') yield textOfLine(file.name, number, line);
    }
  }
  if (begun.trim() !== '') yield textOfLine(file.name, number + 1, begun);
}

export interface EncodeOptions {
  /** Stop when there are so many tokens. */
  readonly maxTokens?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Characters that are tokenised at once. */
  readonly pieceLength?: number;
  /** The most that may be tokenised at once where no cut is found before. */
  readonly largestPiece?: number;
}

/** A text of up to twice this many characters is tokenised as a whole. */
const PIECE = 4 << 20;
const LARGEST_PIECE = 64 << 20;
/** Characters on both sides of a cut on which it is tried. */
const CONTEXT = 256;
const TRIES = 24;

/**
 * Token ids of a text that comes in pieces, without special tokens: those of the whole text, which is never one string. It is cut where the tokenizer makes
 * the same of both sides as of them together, tried on each side's nearest characters. Throws UsageError for a text without such a place, CancelledError.
 */
export async function encodePieces(
  pieces: AsyncIterable<string>,
  tokenizer: Pick<Tokenizer, 'encode'>,
  { maxTokens = Number.POSITIVE_INFINITY, signal, pieceLength, largestPiece = LARGEST_PIECE }: EncodeOptions = {},
): Promise<Int32Array> {
  const encode = (text: string) => tokenizer.encode(text, { addSpecialTokens: false });
  // A token is rarely longer than 16 characters: one piece is likely to have all that are wanted.
  let size = pieceLength ?? Math.min(PIECE, Math.max(1 << 16, 16 * maxTokens));
  const found: Int32Array[] = [];
  let count = 0;
  const take = (text: string) => {
    if (text === '') return;
    const ids = Int32Array.from(encode(text));
    found.push(ids);
    count += ids.length;
  };
  let waiting = '';
  for await (const piece of pieces) {
    throwIfCancelled(signal);
    waiting += piece;
    while (waiting.length >= 2 * size && count < maxTokens) {
      throwIfCancelled(signal);
      const cut = findCut(waiting, size, encode);
      if (!cut) {
        size *= 2;
        if (size > largestPiece)
          throw new UsageError(
            `The text has ${waiting.length} characters without a place where its tokenizer lets it be cut. Break it into lines.`,
          );
        continue;
      }
      take(waiting.slice(0, cut.end));
      waiting = waiting.slice(cut.next);
      // Long work in a row would keep interrupts and timers waiting.
      await new Promise((resolve) => setTimeout(resolve));
    }
    if (count >= maxTokens) break;
  }
  if (count < maxTokens) take(waiting);
  const ids = new Int32Array(Math.min(count, maxTokens));
  let position = 0;
  for (const part of found) {
    ids.set(part.subarray(0, ids.length - position), position);
    position = Math.min(ids.length, position + part.length);
  }
  return ids;
}

interface Cut {
  /** Where the left side ends, and where the right one begins: a space between them may be what the tokenizer puts before a text by itself. */
  readonly end: number;
  readonly next: number;
}

/** The last good cut in the second half of the first `size` characters. */
function findCut(text: string, size: number, encode: (text: string) => ArrayLike<number>): Cut | undefined {
  for (const candidates of [newLines, spaces, anywhere]) {
    let tries = 0;
    for (const cut of candidates(text, Math.floor(size / 2), size)) {
      if (isGood(text, cut, encode)) return cut;
      tries += 1;
      if (tries === TRIES) break;
    }
  }
  return undefined;
}

const isSpace = (text: string, at: number) => /\s/.test(text[at] ?? ' ');

/** Between a line end and what follows, both beside other characters than white space. */
function* newLines(text: string, from: number, to: number): Generator<Cut> {
  for (let at = text.lastIndexOf('\n', to); at > from; at = text.lastIndexOf('\n', at - 1))
    if (!isSpace(text, at - 1) && !isSpace(text, at + 1)) yield { end: at + 1, next: at + 1 };
}

function* spaces(text: string, from: number, to: number): Generator<Cut> {
  for (let at = text.lastIndexOf(' ', to); at > from; at = text.lastIndexOf(' ', at - 1)) {
    if (isSpace(text, at - 1) || isSpace(text, at + 1)) continue;
    yield { end: at, next: at };
    yield { end: at, next: at + 1 };
  }
}

function* anywhere(text: string, from: number, to: number): Generator<Cut> {
  for (let at = to; at > from; at -= 1) if (!isSplitPair(text, at)) yield { end: at, next: at };
}

/** Whether a place lies within a character of two code units. */
const isSplitPair = (text: string, at: number) =>
  /[\uD800-\uDBFF]/.test(text[at - 1] ?? '') && /[\uDC00-\uDFFF]/.test(text[at] ?? '');

function isGood(text: string, { end, next }: Cut, encode: (text: string) => ArrayLike<number>): boolean {
  let [from, to] = [Math.max(0, end - CONTEXT), Math.min(text.length, next + CONTEXT)];
  if (isSplitPair(text, from)) from += 1;
  if (isSplitPair(text, to)) to -= 1;
  const whole = encode(text.slice(from, to));
  const left = encode(text.slice(from, end));
  const right = encode(text.slice(next, to));
  return (
    whole.length === left.length + right.length &&
    Array.from(whole).every((id, at) => id === (at < left.length ? left[at] : right[at - left.length]))
  );
}
