import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright';
import { build, preview } from 'vite';
import { ratio, spread } from './measure.ts';
import type { BrowserScoring } from './scoring-browser/page.ts';

declare global {
  interface Window {
    readonly browserScoring: BrowserScoring;
  }
}

const CHROMIUM = {
  executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--enable-unsafe-webgpu'],
};

/**
 * Scoring of a drawn model in Chromium: the hand-written kernel (WGSL or WebAssembly) against ordinary ONNX operators, interleaved, on whatever adapter there is, which is named.
 * Options: backend (webgpu or wasm; default webgpu), hidden size (64), layers (2), windows of 64 tokens (4), rounds (3).
 */
export async function run([
  backend = 'webgpu',
  hiddenSize = '64',
  layers = '2',
  windows = '4',
  rounds = '3',
]: readonly string[]): Promise<void> {
  if (backend !== 'webgpu' && backend !== 'wasm')
    throw new Error(`the backend is ${backend}; webgpu and wasm are there`);
  const size = Number(hiddenSize);
  const model = {
    layers: Number(layers),
    hiddenSize: size,
    queryHeads: 4,
    keyValueHeads: 2,
    headDimension: size / 4,
    neurons: 3 * size,
    vocabulary: 256,
    seed: 1,
  };
  const folder = await mkdtemp(join(tmpdir(), 'espalier-bench-'));
  const shared = { root: 'bench/scoring-browser', configFile: 'vite.config.ts', logLevel: 'error' } as const;
  try {
    await build({ ...shared, build: { outDir: folder, emptyOutDir: true, rolldownOptions: {} } });
    const server = await preview({ ...shared, build: { outDir: folder }, preview: { port: 0 } });
    const browser = await chromium.launch(CHROMIUM);
    try {
      const tab = await browser.newPage();
      tab.on('pageerror', (error) => console.error(error.message));
      await tab.goto(server.resolvedUrls?.local[0] ?? '');
      await tab.waitForFunction(() => 'browserScoring' in window);
      const texts = Array.from({ length: Number(windows) }, (_, window) =>
        Array.from({ length: 64 }, (_, token) => (token * 7 + window * 13) % 256),
      );
      const { device, times } = await tab.evaluate((options) => window.browserScoring.run(options), {
        backend,
        model,
        windows: texts,
        rounds: Number(rounds),
      } as const);
      console.log(`${windows} windows of 64 tokens, ${layers} layers of hidden size ${hiddenSize}, ${device}`);
      console.log(`hand-written kernel: ${spread(times.kernel)}`);
      console.log(`ordinary operators: ${spread(times.onnx)}`);
      console.log(`without element metrics: ${spread(times.none)}`);
      console.log(`ordinary operators / kernel: ${ratio(times.onnx, times.kernel)}`);
    } finally {
      await browser.close();
      await new Promise((resolve) => server.httpServer.close(resolve));
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
