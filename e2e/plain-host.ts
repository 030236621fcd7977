import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.woff2': 'font/woff2',
  '.webmanifest': 'application/manifest+json',
};

/** A host of static files as there are many: files of one folder under a path, with the headers that it was told, and nothing else. */
export interface PlainHost {
  /** Address of the site, e.g. 'http://localhost:4711/espalier/'. */
  readonly url: string;
  /** Addresses that were asked for outside of the path. */
  readonly strays: readonly string[];
  /** Answers every address with this page from now on, as where another program is served. */
  become(page: string): void;
  close(): Promise<void>;
}

/** Serves `folder` under `path`, which begins and ends with a slash. */
export async function plainHost(
  folder: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<PlainHost> {
  const strays: string[] = [];
  let other: string | undefined;
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    if (!pathname.startsWith(path)) strays.push(pathname);
    const inside = normalize(pathname.slice(path.length) || 'index.html');
    try {
      if (other !== undefined) return void response.writeHead(200, { 'Content-Type': 'text/html' }).end(other);
      if (!pathname.startsWith(path) || inside.startsWith('..')) throw new Error('outside');
      const body = await readFile(join(folder, inside));
      response.writeHead(200, { ...headers, 'Content-Type': TYPES[extname(inside)] ?? 'application/octet-stream' });
      response.end(body);
    } catch {
      response.writeHead(404, { ...headers, 'Content-Type': 'text/html' }).end('<h1>404</h1>');
    }
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The host has no port.');
  return {
    url: `http://localhost:${address.port}${path}`,
    strays,
    become(page) {
      other = page;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
