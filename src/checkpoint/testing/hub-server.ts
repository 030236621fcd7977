import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Ways in which the server misbehaves; may be changed while it runs. */
export interface Mischief {
  /** Cuts each file connection after so many bytes of body, this many times. */
  cut?: { bytes: number; times: number } | undefined;
  /** Sends other bytes for files whose name ends so. */
  corrupt?: string | undefined;
  /** Sends more bytes than it promised. */
  tooLong?: string | undefined;
  /** Ignores Range headers. */
  noRanges?: boolean | undefined;
  /** Milliseconds between pieces of 16 KiB. */
  slow?: number | undefined;
  /** Sends the head of the response and then nothing, this many times. */
  silent?: number | undefined;
  /** Status of every answer. */
  status?: number | undefined;
  /** Wants this token. */
  token?: string | undefined;
  /** Status of file requests, this many times. */
  busy?: { status: number; times: number } | undefined;
  /** Promises no digests that make sense. */
  nonsense?: boolean | undefined;
}

export interface HubServer {
  readonly url: string;
  readonly commit: string;
  readonly mischief: Mischief;
  /** Method, path and range of each request. */
  readonly requests: string[];
  close(): Promise<void>;
}

const LARGE = 1000;

/**
 * A model hub on this machine: the API that @huggingface/hub asks, and files behind a redirect, with ranges and etags. Files of 1,000 bytes and more are
 * "large" ones with a SHA-256. `serveStatic` answers what is no hub request, for tests in a browser.
 */
export async function startHub(
  id: string,
  files: Readonly<Record<string, Uint8Array>>,
  serveStatic?: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<HubServer> {
  const mischief: Mischief = {};
  const requests: string[] = [];
  const commit = createHash('sha1')
    .update(JSON.stringify(Object.keys(files)))
    .digest('hex');

  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://host');
    const isHub = pathname.startsWith('/api/') || pathname.startsWith('/cdn/') || pathname.startsWith(`/${id}/`);
    if (!isHub && serveStatic) return serveStatic(request, response);
    requests.push(`${pathname} ${request.headers.range ?? ''}`.trim());
    response.setHeader('Access-Control-Allow-Origin', '*');
    response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
    if (request.method === 'OPTIONS') return allow(response);
    const json = (value: unknown, status = 200) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(value));
    };
    if (mischief.status !== undefined) return json({ error: 'mischief' }, mischief.status);
    const isAllowed = mischief.token === undefined || request.headers.authorization === `Bearer ${mischief.token}`;
    if (!isAllowed && !pathname.startsWith('/cdn/')) return json({ error: 'Invalid username or password.' }, 401);
    if (pathname.startsWith(`/api/models/${id}/revision/`)) {
      const revision = decodeURIComponent(pathname.split('/').at(-1) ?? '');
      if (!['main', 'v1', commit].includes(revision)) return json({ error: 'Invalid rev id' }, 404);
      return json({
        _id: '1',
        id,
        sha: mischief.nonsense ? 'x' : commit,
        cardData: { license: 'mit' },
        private: false,
        gated: false,
      });
    }
    if (pathname.startsWith(`/api/models/${id}/tree/${commit}`)) {
      return json(Object.entries(files).map(([path, bytes]) => entryOf(path, bytes)));
    }
    if (pathname.startsWith('/api/')) return json({ error: 'Repository not found' }, 404);
    const name = decodeURIComponent(pathname.split(`/resolve/${commit}/`)[1] ?? pathname.slice('/cdn/'.length));
    const bytes = files[name];
    if (!bytes) return json({ error: 'Entry not found' }, 404);
    if (!pathname.startsWith('/cdn/') && bytes.length >= LARGE) {
      response.writeHead(302, { location: `/cdn/${encodeURIComponent(name)}` });
      response.end();
      return;
    }
    return send(request, response, name, bytes, mischief);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    commit,
    mischief,
    requests,
    close: () =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  };
}

/** Lets a page of another origin send what it asks to send: a token. */
export function allow(response: ServerResponse): void {
  response.writeHead(204, {
    'access-control-allow-origin': '*',
    'access-control-allow-headers': 'authorization, content-type, range, x-requested-with, accept',
    'access-control-allow-methods': 'GET, HEAD, POST, PUT, DELETE',
  });
  response.end();
}

function entryOf(path: string, bytes: Uint8Array) {
  const oid = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
  if (bytes.length < LARGE) return { type: 'file', path, size: bytes.length, oid };
  return {
    type: 'file',
    path,
    size: bytes.length,
    oid,
    lfs: { oid: createHash('sha256').update(bytes).digest('hex'), size: bytes.length, pointerSize: 130 },
  };
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  name: string,
  whole: Uint8Array,
  mischief: Mischief,
): Promise<void> {
  const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  if (mischief.busy && mischief.busy.times > 0) {
    mischief.busy.times -= 1;
    response.writeHead(mischief.busy.status);
    response.end();
    return;
  }
  let bytes = whole;
  if (mischief.corrupt !== undefined && name.endsWith(mischief.corrupt))
    bytes = bytes.map((byte, i) => (i === bytes.length >> 1 ? byte ^ 1 : byte));
  const match = mischief.noRanges ? null : /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '');
  const start = match ? Number(match[1]) : 0;
  const end = match?.[2] ? Math.min(Number(match[2]) + 1, bytes.length) : bytes.length;
  if (start >= bytes.length && match) {
    response.writeHead(416);
    response.end();
    return;
  }
  const isLong = mischief.tooLong !== undefined && name.endsWith(mischief.tooLong);
  response.writeHead(match ? 206 : 200, {
    etag: '"x"',
    'content-type': 'application/octet-stream',
    ...(isLong ? {} : { 'content-length': end - start }),
    ...(match ? { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` } : {}),
  });
  let body = bytes.subarray(start, end);
  if (isLong) body = Buffer.concat([body, Buffer.alloc(100)]);
  if (mischief.silent !== undefined && mischief.silent > 0) {
    mischief.silent -= 1;
    response.write(body.subarray(0, 10));
    return;
  }
  const cut = mischief.cut && mischief.cut.times > 0 && body.length > mischief.cut.bytes ? mischief.cut : undefined;
  if (cut) {
    cut.times -= 1;
    response.write(body.subarray(0, cut.bytes), () => setTimeout(() => response.destroy(), 20));
    return;
  }
  for (let at = 0; mischief.slow !== undefined && at < body.length && !response.destroyed; at += 16384) {
    response.write(body.subarray(at, at + 16384));
    await wait(mischief.slow);
  }
  response.end(mischief.slow === undefined ? body : undefined);
}
