import { createSHA1, createSHA256, type IHasher } from 'hash-wasm';
import { FileFormatError, NetworkError, throwIfCancelled } from '../../errors.ts';
import type { HubFile } from './hub-files.ts';
import type { PartialFile } from './model-store.ts';

export interface Transfer {
  readonly fetch: typeof fetch;
  readonly signal: AbortSignal | undefined;
  /** Bytes that have come, or negative: bytes that have to come again. */
  readonly onBytes: (count: number) => void;
  /** How long a connection may be silent, in milliseconds. */
  readonly patience?: number;
  /** How often in a row a connection may break without a byte. */
  readonly tries?: number;
}

const CHUNK = 1 << 20;

/**
 * Brings one file into a partial file, from where an earlier try ended, and gives it its final name when size and digest are the hub's.
 * A broken connection is taken up again. Throws NetworkError when that does not help, FileFormatError for wrong bytes (which are discarded).
 */
export async function downloadFile(
  url: string,
  file: HubFile,
  open: () => Promise<PartialFile>,
  transfer: Transfer,
): Promise<void> {
  const partial = await open();
  const state: State = { partial, hash: await startHash(file), done: 0 };
  try {
    await takeUp(state, file, transfer);
    let failures = 0;
    while (state.done < file.size) {
      throwIfCancelled(transfer.signal);
      const before = state.done;
      const failure = await receive(url, state, file, transfer);
      if (state.done > before) failures = 0;
      if (!failure) continue;
      failures += 1;
      if (failures >= (transfer.tries ?? 5)) throw failure;
      await pause(250 * 2 ** failures, transfer.signal);
    }
    if (state.hash.digest('hex') !== file.digest.value) {
      await partial.discard();
      transfer.onBytes(-state.done);
      throw new FileFormatError(
        `${file.name} came with other bytes than the hub promises (its digest differs), and was discarded. Try again.`,
      );
    }
    await partial.commit();
  } finally {
    await partial.close();
  }
}

interface State {
  readonly partial: PartialFile;
  hash: IHasher;
  done: number;
}

/** Large files have the SHA-256 of their bytes; small ones are git blobs, whose SHA-1 begins with a header. */
async function startHash({ digest, size }: HubFile): Promise<IHasher> {
  if (digest.kind === 'sha256') return (await createSHA256()).init();
  return (await createSHA1()).init().update(`blob ${size}\0`);
}

/** Counts and hashes what an earlier try left. */
async function takeUp(state: State, file: HubFile, transfer: Transfer): Promise<void> {
  const { partial } = state;
  if (partial.size > file.size) return partial.discard();
  for (let start = 0; start < partial.size; start += CHUNK) {
    throwIfCancelled(transfer.signal);
    state.hash.update(await partial.read(start, Math.min(start + CHUNK, partial.size)));
  }
  state.done = partial.size;
  transfer.onBytes(state.done);
}

/** One connection: appends what comes. Returns why it ended early, or undefined when all has come. Throws what trying again cannot mend. */
async function receive(
  url: string,
  state: State,
  file: HubFile,
  transfer: Transfer,
): Promise<NetworkError | undefined> {
  const watch = silenceWatch(transfer.patience ?? 60_000);
  try {
    const headers = state.done > 0 ? { Range: `bytes=${state.done}-` } : undefined;
    // What comes goes to the store; the browser's own cache need not keep gigabytes too.
    const response = await transfer.fetch(url, {
      ...(headers ? { headers } : {}),
      cache: 'no-store',
      signal: watch.signal,
    });
    const refusal = checkStatus(response.status, file);
    if (refusal) {
      await response.body?.cancel();
      return refusal;
    }
    if (state.done > 0 && !continues(response, state.done)) await startOver(state, file, transfer);
    if (!response.body) return new NetworkError(`${file.name}: the server sent nothing. Try again.`);
    const reader = response.body.getReader();
    for (;;) {
      watch.touch();
      const { done, value } = await reader.read();
      if (done) break;
      if (state.done + value.length > file.size) {
        await reader.cancel();
        await state.partial.discard();
        throw new FileFormatError(
          `${file.name} has more bytes than the ${file.size} that the hub promises, and was discarded. Try again.`,
        );
      }
      await state.partial.append(value);
      state.hash.update(value);
      state.done += value.length;
      transfer.onBytes(value.length);
    }
    return state.done < file.size
      ? new NetworkError(
          `${file.name}: the connection ended at ${state.done} of ${file.size} bytes. Try again; what has come is kept.`,
        )
      : undefined;
  } catch (cause) {
    throwIfCancelled(transfer.signal);
    if (!isConnectionFailure(cause)) throw cause;
    const what = watch.signal.aborted ? 'the server fell silent' : 'the connection broke';
    return new NetworkError(
      `${file.name}: ${what} at ${state.done} of ${file.size} bytes. Try again; what has come is kept.`,
      { cause },
    );
  } finally {
    watch.stop();
  }
}

/** fetch and body readers throw TypeError for broken connections and AbortError for the watch. */
function isConnectionFailure(cause: unknown): boolean {
  return cause instanceof TypeError || (cause instanceof DOMException && cause.name !== 'QuotaExceededError');
}

/** Refusals of access and absence are final and thrown with their status; the rest may pass. */
function checkStatus(status: number, { name }: HubFile): NetworkError | undefined {
  if (status === 200 || status === 206) return undefined;
  const error = new NetworkError(`The server answered with status ${status} for ${name}. Try again later.`);
  if (status >= 400 && status < 500 && status !== 408 && status !== 416 && status !== 429)
    throw Object.assign(new Error(error.message), { statusCode: status });
  return error;
}

/** Whether a response goes on at byte `start`. A server without ranges begins again at 0. */
function continues(response: Response, start: number): boolean {
  return (
    response.status === 206 &&
    (response.headers.get('content-range') ?? `bytes ${start}-`).startsWith(`bytes ${start}-`)
  );
}

async function startOver(state: State, file: HubFile, transfer: Transfer): Promise<void> {
  await state.partial.discard();
  transfer.onBytes(-state.done);
  state.done = 0;
  state.hash = await startHash(file);
}

function silenceWatch(patience: number) {
  const controller = new AbortController();
  let timer = setTimeout(() => controller.abort(), patience);
  return {
    signal: controller.signal,
    touch: () => {
      clearTimeout(timer);
      timer = setTimeout(() => controller.abort(), patience);
    },
    stop: () => clearTimeout(timer),
  };
}

/** Resolves after a while, or at once when the signal fires. */
export function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener('abort', end, { once: true });
  });
}
