import { createReadStream } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { chromium } from 'playwright';
import { build } from 'vite';
import { openNamed } from '../src/checkpoint/local.ts';
import { ISOLATION_HEADERS } from '../src/cli/security-headers.ts';
import { allowsSingleToken, decoderGraph } from '../src/export/decoder-graph.ts';
import { EXPORT_FORMATS, type ExportDataType } from '../src/export/dtypes.ts';
import { OpenModel } from '../src/library/open-model.ts';
import { writeModel } from '../src/onnx/write.ts';
import { createNodeRuntime } from '../src/runtime/node.ts';
import type { BrowserBench } from './browser/decode.ts';
import { report } from './decode-lap.ts';
import { benchPrompt, exportBenchModels } from './decode-models.ts';

declare global {
  interface Window {
    readonly browserBench: BrowserBench;
  }
}

const PROMPT = 32;
const CAPACITY = 256;
const SINGLE_TOKEN = 'single-token.onnx';
const CHROMIUM = { executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium', args: ['--no-sandbox', '--enable-unsafe-webgpu'] };

/**
 * Decoding in Chromium: our loop against transformers.js on the same exported files, and dense against pruned, interleaved lap by lap, with
 * the GPU dispatches of a token counted. Options: backend (wasm or webgpu; default wasm), a model (default stories), a number format (default
 * f32), tokens to decode (default 32), rounds (default 5).
 */
export async function run([backend = 'wasm', name = 'stories', format = 'f32', newTokens = '32', rounds = '5']: readonly string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'espalier-bench-'));
  const page = join(folder, 'page');
  const dataType = format as ExportDataType;
  try {
    using runtime = await createNodeRuntime();
    using open = new OpenModel(runtime, await openNamed(name));
    const models = await exportBenchModels(open, join(folder, 'models'), dataType, [0.2, 0.5]);
    const isCaptured = backend === 'webgpu' && allowsSingleToken(open.model, dataType);
    if (isCaptured) {
      // The same weights in the same places: it reads the dense model's data file.
      const { graph } = decoderGraph(open.model, { dataType, singleToken: { capacity: CAPACITY } });
      await writeFile(join(folder, 'models/dense/onnx', SINGLE_TOKEN), writeModel(graph));
    }
    await build({ root: 'bench/browser', configFile: 'vite.config.ts', logLevel: 'error', build: { outDir: page, emptyOutDir: true, rolldownOptions: {} } });
    const server = await serve({
      '/models/': join(folder, 'models'),
      '/ort-transformers/': 'node_modules/@huggingface/transformers/node_modules/onnxruntime-web/dist',
      '/': page,
    });
    const browser = await chromium.launch(CHROMIUM);
    try {
      const tab = await browser.newPage();
      tab.on('pageerror', (error) => console.error(error.message));
      await tab.goto(`http://localhost:${(server.address() as AddressInfo).port}/index.html`);
      await tab.waitForFunction(() => 'browserBench' in window);
      const { description, timed } = await tab.evaluate((options) => window.browserBench.run(options), {
        backend: backend as 'wasm' | 'webgpu',
        models,
        file: EXPORT_FORMATS[dataType].file,
        singleToken: isCaptured ? { file: SINGLE_TOKEN, capacity: CAPACITY } : undefined,
        prompt: benchPrompt(PROMPT, open.config.vocabulary),
        newTokens: Number(newTokens),
        rounds: Number(rounds),
      });
      console.log(`${name} in ${dataType}, Chromium, ${description}: ${PROMPT} prompt tokens, ${newTokens} decoded, ${rounds} rounds in turn`);
      for (const line of report(timed, PROMPT)) console.log(line);
    } finally {
      await browser.close();
      server.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm' };

/** Serves folders by the beginning of the path, isolated as the studio is. */
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
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream', 'content-length': status.size });
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((ready) => server.listen(0, 'localhost', ready));
  return server;
}
