import { CancelledError, FileFormatError, NetworkError, UnsupportedError } from '../../errors.ts';
import type { ByteSource } from '../checkpoint.ts';
import type { FileAccess } from './files.ts';
import { checkRange, memorySource } from './memory.ts';

/** Asked for first: it holds a companion file whole, or a weight file's header. */
const PROBE = 1 << 20;
/** A file up to this size is fetched whole at the first read beyond the probe: one request instead of one per tensor. */
const KEEP_WHOLE = 64 << 20;
/** A server that ignores ranges makes us hold the file in memory; beyond this we refuse. */
const LARGEST_WITHOUT_RANGES = 1 << 30;

/** How files are asked for. */
export interface HttpOptions {
  /** Default: that of the platform. */
  readonly fetch?: typeof fetch;
  /** Sent with every request, e.g. an authorization. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends requests that are under way. */
  readonly signal?: AbortSignal;
}

/** Files that a model served over HTTP may have: HTTP cannot list a folder. */
const MODEL_FILES = [
  'config.json',
  'generation_config.json',
  'model.safetensors',
  'model.safetensors.index.json',
  'tokenizer.json',
  'tokenizer.model',
  'tokenizer_config.json',
  'chat_template.jinja',
  'README.md',
] as const;

/**
 * A file behind HTTP, read by ranges; undefined when it is not there. A server that ignores ranges gives the whole file, which is then kept in memory.
 * Throws NetworkError when the server cannot be reached or refuses, FileFormatError when the file changes while it is read.
 */
export async function httpSource(
  url: string,
  name: string,
  options: HttpOptions = {},
): Promise<ByteSource | undefined> {
  let response = await request(url, options, 0, PROBE);
  if (response.status === 416) return memorySource(name, new Uint8Array());
  if (response.status === 206 && (response.headers.get('content-encoding') ?? 'identity') !== 'identity') {
    // Ranges of compressed bytes are of no use.
    await response.body?.cancel();
    response = await request(url, options);
  }
  const isFallbackPage =
    !name.endsWith('.html') && (response.headers.get('content-type') ?? '').startsWith('text/html');
  if (response.status === 404 || response.status === 410 || (response.ok && isFallbackPage)) {
    await response.body?.cancel();
    return undefined;
  }
  if (response.status === 200) return memorySource(name, await wholeBody(response, name));
  if (response.status !== 206)
    throw new NetworkError(`${url} answered with status ${response.status}. ${statusRemedy(response.status)}`);
  const byteLength = Number(/\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1] ?? Number.NaN);
  if (!Number.isSafeInteger(byteLength))
    throw new NetworkError(
      `${url} answered a range request without telling the file's size. Download the file and open it from disk.`,
    );
  const probe = await body(response, url);
  checkLength(probe, Math.min(PROBE, byteLength), url);
  return byteLength <= PROBE
    ? memorySource(name, probe)
    : rangedSource(url, name, options, byteLength, probe, response.headers.get('etag'));
}

function rangedSource(
  url: string,
  name: string,
  options: HttpOptions,
  byteLength: number,
  probe: Uint8Array,
  etag: string | null,
): ByteSource {
  let rest: Promise<Uint8Array> | undefined;
  const fetchRange = async (start: number, end: number): Promise<Uint8Array> => {
    const response = await request(url, options, start, end);
    if (response.status !== 206)
      throw new NetworkError(
        `${url} answered a request for bytes ${start} to ${end} with status ${response.status}. ${statusRemedy(response.status)}`,
      );
    if (response.headers.get('etag') !== etag)
      throw new FileFormatError(`${url} changed on the server while it was read. Open the model again.`);
    const bytes = await body(response, url);
    checkLength(bytes, end - start, url);
    return bytes;
  };
  const fetchRest = (): Promise<Uint8Array> => {
    rest ??= fetchRange(probe.length, byteLength).catch((error: unknown) => {
      rest = undefined;
      throw error;
    });
    return rest;
  };
  const source = {
    name,
    byteLength,
    async read(start: number, end: number): Promise<Uint8Array> {
      checkRange(source, start, end);
      if (end <= probe.length) return probe.slice(start, end);
      if (byteLength > KEEP_WHOLE) return fetchRange(start, end);
      const tail = await fetchRest();
      if (start >= probe.length) return tail.slice(start - probe.length, end - probe.length);
      const bytes = new Uint8Array(end - start);
      bytes.set(probe.subarray(start));
      bytes.set(tail.subarray(0, end - probe.length), probe.length - start);
      return bytes;
    },
  };
  return source;
}

/** What helps against a refusal. */
function statusRemedy(status: number): string {
  return status === 401 || status === 403
    ? 'It asks for a right to read: download the file with your account and open it from disk.'
    : 'Try again later.';
}

/** A model's folder behind HTTP, e.g. the embedded model. `names` are the files that may be there. */
export function httpFolder(
  url: string,
  name: string,
  options: HttpOptions = {},
  names: readonly string[] = MODEL_FILES,
): FileAccess {
  const base = url.endsWith('/') ? url : `${url}/`;
  const opened = new Map<string, Promise<ByteSource | undefined>>();
  return {
    name,
    list: async () => names,
    open(file) {
      if (!names.includes(file)) return Promise.resolve(undefined);
      const known = opened.get(file);
      if (known) return known;
      const source = httpSource(base + file.split('/').map(encodeURIComponent).join('/'), file, options).catch(
        (error: unknown) => {
          opened.delete(file);
          throw error;
        },
      );
      opened.set(file, source);
      return source;
    },
  };
}

async function request(
  url: string,
  { fetch: doFetch = fetch, headers, signal }: HttpOptions,
  start?: number,
  end?: number,
): Promise<Response> {
  const range: Record<string, string> =
    start === undefined || end === undefined ? {} : { Range: `bytes=${start}-${end - 1}` };
  try {
    return await doFetch(url, { headers: { ...headers, ...range }, ...(signal ? { signal } : {}) });
  } catch (cause) {
    if (signal?.aborted) throw new CancelledError();
    throw new NetworkError(`${url} cannot be reached. Check the connection and try again.`, { cause });
  }
}

async function body(response: Response, url: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw new CancelledError();
    throw new NetworkError(`The connection broke while ${url} was read. Try again.`, { cause });
  }
}

async function wholeBody(response: Response, name: string): Promise<Uint8Array> {
  const claimed = Number(response.headers.get('content-length') ?? 0);
  if (claimed > LARGEST_WITHOUT_RANGES) {
    await response.body?.cancel();
    throw new UnsupportedError(
      `The server of ${name} cannot send parts of a file, and ${claimed} bytes are too many to hold in memory. Download the model first.`,
    );
  }
  return body(response, response.url);
}

function checkLength(bytes: Uint8Array, expected: number, url: string): void {
  if (bytes.length !== expected)
    throw new NetworkError(`${url} sent ${bytes.length} bytes where ${expected} were asked for. Try again.`);
}
