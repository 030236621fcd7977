import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { FileFormatError, NetworkError } from '../../errors.ts';
import { httpFolder, httpSource } from './http.ts';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

interface Behaviour {
  ranges?: boolean;
  page?: boolean;
  compressed?: boolean;
  /** Stops after so many bytes of the body. */
  cut?: number;
  etag?: () => string;
}

async function serve(
  content: Uint8Array,
  { ranges = true, page = false, compressed = false, cut, etag = () => 'x' }: Behaviour = {},
) {
  const requests: string[] = [];
  server = createServer((request, response) => {
    const range = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '');
    requests.push(`${request.url} ${request.headers.range ?? 'whole'}`);
    response.setHeader('etag', etag());
    if (request.url === '/absent') {
      if (page) response.setHeader('content-type', 'text/html');
      response.statusCode = page ? 200 : 404;
      response.end('<html>');
      return;
    }
    if (request.url === '/refused') {
      response.statusCode = 403;
      response.end();
      return;
    }
    let body = content;
    if (ranges && range) {
      if (content.length === 0) {
        response.statusCode = 416;
        response.end();
        return;
      }
      response.statusCode = 206;
      const [start, end] = [Number(range[1]), Math.min(Number(range[2]) + 1, content.length)];
      response.setHeader('content-range', `bytes ${start}-${end - 1}/${content.length}`);
      if (compressed) response.setHeader('content-encoding', 'gzip');
      body = compressed ? gzipSync(content).subarray(0, 50) : content.subarray(start, end);
    }
    response.setHeader('content-length', body.length);
    if (cut !== undefined && body.length > cut) {
      response.write(body.subarray(0, cut), () => response.destroy());
      return;
    }
    response.end(body);
  });
  await new Promise<void>((done) => server?.listen(0, '127.0.0.1', done));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

const pattern = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 31) ^ (i >>> 8));

test('a small file takes one request, a larger one a second for the rest', async () => {
  const small = await serve(pattern(1000));
  const source = await httpSource(`${small.url}/a`, 'a');
  expect(await source?.read(10, 20)).toEqual(pattern(1000).subarray(10, 20));
  expect(await source?.read(0, 1000)).toEqual(pattern(1000));
  expect(small.requests.length).toBe(1);
  server?.close();
  const content = pattern(3 << 20);
  const large = await serve(content);
  const second = await httpSource(`${large.url}/b`, 'b');
  expect(second?.byteLength).toBe(content.length);
  for (const [start, end] of [
    [5, 9],
    [(1 << 20) - 3, (1 << 20) + 5],
    [2 << 20, 3 << 20],
    [7, 3 << 20],
  ] as const) {
    const bytes = await second?.read(start, end);
    expect(Buffer.compare(bytes ?? Buffer.of(), content.subarray(start, end))).toBe(0);
  }
  expect(large.requests.length).toBe(2);
  await expect(second?.read(0, content.length + 1)).rejects.toThrow(FileFormatError);
});

test('a file beyond 64 MiB is read by ranges, and noticed when it changes', async () => {
  const content = new Uint8Array((64 << 20) + 100);
  content.fill(7, 65 << 20);
  let etag = 'first';
  const { url, requests } = await serve(content, { etag: () => etag });
  const source = await httpSource(`${url}/big`, 'big');
  expect((await source?.read(content.length - 10, content.length))?.length).toBe(10);
  expect(requests.at(-1)).toBe(`/big bytes=${content.length - 10}-${content.length - 1}`);
  etag = 'second';
  await expect(source?.read(content.length - 10, content.length)).rejects.toThrow(/changed on the server/);
});

test('a server without ranges, a compressing one, an empty file', async () => {
  const plain = await serve(pattern(2 << 20), { ranges: false });
  expect((await (await httpSource(`${plain.url}/a`, 'a'))?.read(5, 2 << 20))?.length).toBe((2 << 20) - 5);
  server?.close();
  const compressed = await serve(pattern(500), { compressed: true });
  expect(await (await httpSource(`${compressed.url}/a`, 'a'))?.read(0, 500)).toEqual(pattern(500));
  server?.close();
  const empty = await serve(new Uint8Array());
  expect((await httpSource(`${empty.url}/a`, 'a'))?.byteLength).toBe(0);
});

test('what is not there is undefined: status 404, or the page that single-page servers send for anything', async () => {
  for (const page of [false, true]) {
    const { url } = await serve(pattern(10), { page });
    expect(await httpSource(`${url}/absent`, 'absent')).toBeUndefined();
    server?.close();
  }
});

test('refusals, cuts and dead servers are NetworkErrors that name the address', async () => {
  const { url } = await serve(pattern(1000), { cut: 500 });
  await expect(httpSource(`${url}/refused`, 'refused')).rejects.toThrow(/status 403/);
  await expect(httpSource(`${url}/a`, 'a')).rejects.toThrow(NetworkError);
  server?.closeAllConnections();
  server?.close();
  await expect(httpSource(`${url}/a`, 'a')).rejects.toThrow(/cannot be reached/);
});

test('a folder opens each file once and only the names it knows', async () => {
  const { url, requests } = await serve(pattern(10));
  const files = httpFolder(`${url}/models`, 'stories');
  expect(await files.open('config.json')).toBe(await files.open('config.json'));
  expect(await files.open('secret.txt')).toBeUndefined();
  expect(requests).toEqual(['/models/config.json bytes=0-1048575']);
});
