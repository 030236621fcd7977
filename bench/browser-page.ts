import { createReadStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright';
import { build } from 'vite';
import { ISOLATION_HEADERS } from '../src/cli/security-headers.ts';

const CHROMIUM = {
  executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--enable-unsafe-webgpu'],
};

/**
 * Builds bench/browser, serves it isolated as the studio is, with `folders` beside it by the beginning of their path, and gives the open page
 * to `work`, with the browser that it is in.
 */
export async function withBenchPage<Result>(
  folders: Readonly<Record<string, string>>,
  work: (page: Page, browser: Browser) => Promise<Result>,
): Promise<Result> {
  const built = await mkdtemp(join(tmpdir(), 'espalier-bench-page-'));
  try {
    await build({
      root: 'bench/browser',
      configFile: 'vite.config.ts',
      logLevel: 'error',
      build: { outDir: built, emptyOutDir: true, rolldownOptions: {} },
    });
    const server = await serve({ ...folders, '/': built });
    const browser = await chromium.launch(CHROMIUM);
    try {
      const page = await browser.newPage();
      page.on('pageerror', (error) => console.error(error.message));
      await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/index.html`);
      await page.waitForFunction(() => 'loadBench' in window);
      return await work(page, browser);
    } finally {
      await browser.close();
      server.close();
    }
  } finally {
    await rm(built, { recursive: true, force: true });
  }
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};

async function serve(folders: Readonly<Record<string, string>>): Promise<Server> {
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://host').pathname);
    const prefix = Object.keys(folders).find((start) => path.startsWith(start)) ?? '/';
    const file = join(folders[prefix] ?? '', path.slice(prefix.length));
    const status = await stat(file).catch(() => undefined);
    for (const [header, value] of Object.entries(ISOLATION_HEADERS)) response.setHeader(header, value);
    if (!status?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
      'content-length': status.size,
    });
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((ready) => server.listen(0, 'localhost', ready));
  return server;
}
