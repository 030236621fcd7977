import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type StaticServer, serveFolder } from './static-server.ts';

describe('static server', () => {
  let parent: string;
  let server: StaticServer;

  beforeAll(async () => {
    parent = await mkdtemp(join(tmpdir(), 'espalier-'));
    await writeFile(join(parent, 'secret.txt'), 'secret');
    await mkdir(join(parent, 'site'));
    await mkdir(join(parent, 'site-secret'));
    await writeFile(join(parent, 'site-secret/secret.txt'), 'secret');
    await writeFile(join(parent, 'site/index.html'), '<!doctype html>');
    await writeFile(join(parent, 'site/engine.wasm'), new Uint8Array([0, 97, 115, 109]));
    server = await serveFolder(join(parent, 'site'), 0);
  });

  afterAll(async () => {
    await server.close();
    await rm(parent, { recursive: true });
  });

  /** A request whose path is sent as it is: fetch would tidy it. */
  const raw = (path: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      request({ host: 'localhost', port: new URL(server.url).port, path }, (response) =>
        resolve(response.resume().statusCode),
      )
        .on('error', reject)
        .end();
    });

  test('gives files their type, and the headers that isolate the page', async () => {
    const page = await fetch(server.url);
    expect(await page.text()).toBe('<!doctype html>');
    expect(page.headers.get('content-type')).toMatch(/^text\/html; ?charset=utf-8$/);
    expect(page.headers.get('cross-origin-opener-policy')).toBe('same-origin');
    expect(page.headers.get('cross-origin-embedder-policy')).toBe('require-corp');
    expect(page.headers.get('content-security-policy')).toContain("script-src 'self' 'wasm-unsafe-eval';");
    expect((await fetch(`${server.url}engine.wasm`)).headers.get('content-type')).toBe('application/wasm');
  });

  test('answers 304 to a page that is known', async () => {
    const tag = (await fetch(server.url)).headers.get('etag') ?? '';
    expect((await fetch(server.url, { headers: { 'If-None-Match': tag } })).status).toBe(304);
  });

  test('gives the part of a file that is asked for', async () => {
    const part = await fetch(`${server.url}engine.wasm`, { headers: { Range: 'bytes=1-2' } });
    expect([part.status, part.headers.get('content-range')]).toEqual([206, 'bytes 1-2/4']);
    expect(new Uint8Array(await part.arrayBuffer())).toEqual(Uint8Array.of(97, 115));
  });

  test('reads nothing outside its folder', async () => {
    expect((await fetch(`${server.url}missing.txt`)).status).toBe(404);
    for (const path of [
      '/../secret.txt',
      '/..%2fsecret.txt',
      '/%2e%2e/secret.txt',
      '/%00',
      '/%zz',
      '//secret.txt',
      '/../site-secret/secret.txt',
    ])
      expect(await raw(path), path).toBe(404);
  });

  test('answers only GET and HEAD', async () => {
    expect((await fetch(server.url, { method: 'POST' })).status).toBe(405);
    const head = await fetch(`${server.url}engine.wasm`, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '4']);
  });

  test('says that a port is taken', async () => {
    await expect(serveFolder(parent, Number(new URL(server.url).port))).rejects.toThrow(
      'is taken by another program. Choose another with --port.',
    );
  });
});
