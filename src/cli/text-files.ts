import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { createSHA256 } from 'hash-wasm';
import type { Tokenizer } from '../checkpoint/tokenizer/tokenizer.ts';
import { MissingError, throwIfCancelled, UsageError } from '../errors.ts';
import { encodePieces, type TextSource, textPieces } from '../evaluate/text-stream.ts';
import type { LongRunning } from '../progress.ts';
import { streamed } from './input-file.ts';

const CHUNK = 1 << 20;
/** Texts below this are tokenised in a moment; nothing is told. */
const LONG = 8 << 20;

/** Token ids of text files, and what records tell about them. */
export interface TextIds {
  readonly ids: Int32Array;
  /** Names of the files. */
  readonly source: string;
  /** SHA-256 (hex) of the text, files joined by blank lines. */
  readonly sha256: string;
}

interface TextIdsOptions extends LongRunning {
  readonly maxTokens?: number | undefined;
  /** False: no more is read than `maxTokens` need, and the digest is of that. Default true. */
  readonly wantsDigest?: boolean;
}

/**
 * Reads and tokenises text files of any size in pieces: all of them, or up to `maxTokens` tokens. Throws MissingError for a file that is not there, UsageError
 * where there is no text, and what `textPieces` and `encodePieces` throw.
 */
export async function readTextIds(
  paths: readonly string[],
  tokenizer: Pick<Tokenizer, 'encode'>,
  { maxTokens, wantsDigest = true, signal, onProgress }: TextIdsOptions = {},
): Promise<TextIds> {
  const files = await Promise.all(paths.map(textFile));
  const total = files.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const report = (completed: number) => {
    if (total >= LONG) onProgress?.({ stage: 'tokenising', completed, total, unit: 'bytes' });
  };
  const hash = (await createSHA256()).init();
  let read = 0;
  let isEmpty = true;
  async function* watched() {
    const onBytes = (count: number) => {
      read += count;
      report(Math.min(total, read));
    };
    for await (const piece of textPieces(files, onBytes)) {
      hash.update(piece);
      isEmpty &&= piece.trim() === '';
      yield piece;
    }
  }
  const pieces = watched();
  // What stops early leaves the rest to the digest.
  const ids = await encodePieces({ [Symbol.asyncIterator]: () => ({ next: () => pieces.next() }) }, tokenizer, {
    maxTokens,
    signal,
  });
  if (wantsDigest) for await (const _ of pieces) throwIfCancelled(signal);
  report(total);
  const source = files.map(({ name }) => name).join(' + ');
  if (isEmpty) throw new UsageError(`There is no text in ${source || 'the files: none were given'}.`);
  return { ids, source, sha256: hash.digest('hex') };
}

async function textFile(path: string): Promise<TextSource> {
  const stream = await streamed(path);
  if (stream) {
    const { name, bytes } = stream;
    return { name, byteLength: bytes.length, chunks: () => inChunks(bytes) };
  }
  const status = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new MissingError(`There is no file ${path}.`, { cause: error });
    throw error;
  });
  if (status.isDirectory()) throw new MissingError(`${path} is a folder; a file is needed.`);
  return {
    name: basename(path),
    byteLength: status.size,
    chunks: () => createReadStream(path, { highWaterMark: CHUNK }),
  };
}

async function* inChunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += CHUNK) yield bytes.subarray(start, start + CHUNK);
}
