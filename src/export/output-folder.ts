import { createSHA256 } from 'hash-wasm';
import type { FileAccess } from '../checkpoint/files/files.ts';
import { throwIfCancelled } from '../errors.ts';
import type { Runtime, SessionOptions } from '../runtime/runtime.ts';

/** A file that was written. */
export interface WrittenFile {
  /** Relative to the folder, with '/' between parts. */
  readonly name: string;
  /** Its size. */
  readonly bytes: number;
  /** SHA-256, hex. */
  readonly sha256: string;
}

/** A model file on disk, whose external data lies beside it. */
export interface ModelPath {
  /** Where it lies. */
  readonly path: string;
}

/** How a written model is opened for a check. */
export interface OpenedModel {
  /** Bytes, or the path of a file. */
  readonly model: Uint8Array | ModelPath;
  /** Its weights, by the location that the model names. */
  readonly externalData?: SessionOptions['externalData'];
}

/** A folder that comes into being whole or not at all: files are written under a temporary name and appear with `publish`. */
export interface OutputFolder {
  /** Writes one file from its chunks, in order. */
  write(name: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>;
  /** The written model `name` with its external data `dataName`, for a session on `backend`: only the CPU's opens files by their path. */
  openModel(name: string, dataName: string, backend: Runtime['backend']): Promise<OpenedModel>;
  /** What was written so far, to be opened as a model of its own. */
  reopen(): Promise<FileAccess>;
  /** Gives the folder its final name. Nothing can be written afterwards. */
  publish(): Promise<void>;
  /** Removes everything that was written. Does nothing after `publish`. */
  discard(): Promise<void>;
}

/** Writes a file and measures it on the way. `onBytes` tells how many bytes were added. Throws CancelledError between chunks. */
export async function writeMeasured(
  folder: OutputFolder,
  name: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: { readonly signal?: AbortSignal | undefined; readonly onBytes?: ((bytes: number) => void) | undefined } = {},
): Promise<WrittenFile> {
  const hash = await createSHA256();
  let bytes = 0;
  async function* measured() {
    for await (const chunk of chunks) {
      throwIfCancelled(options.signal);
      hash.update(chunk);
      bytes += chunk.byteLength;
      yield chunk;
      options.onBytes?.(chunk.byteLength);
    }
  }
  await folder.write(name, measured());
  return { name, bytes, sha256: hash.digest('hex') };
}

/** A text or JSON document as the one chunk of its file. */
export function textChunks(contents: string | object): Uint8Array[] {
  const text = typeof contents === 'string' ? contents : `${JSON.stringify(contents, undefined, 2)}\n`;
  return [new TextEncoder().encode(text)];
}
