import { existsSync, readFileSync } from 'node:fs';
import { type Browser, expect, test } from '@playwright/test';
import type { StreamingPage } from './pages/streaming.ts';

declare global {
  interface Window {
    readonly streamingPage: StreamingPage;
  }
}

const MEBIBYTE = 2 ** 20;
const SHAPE = { layers: 48, hiddenSize: 384, heads: 6, neurons: 1024, vocabulary: 256 };

/** Largest peak of resident memory of the browser's page processes, in bytes; undefined where the system does not tell. */
async function peakOfPages(browser: Browser): Promise<number | undefined> {
  if (!existsSync('/proc/self/status')) return undefined;
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  const peaks = processInfo
    .filter(({ type }) => type === 'renderer')
    .map(({ id }) => /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1]);
  return 1024 * Math.max(...peaks.map(Number));
}

test('a model whose weights pass the memory budget is scored from the private file system with a few layers in memory', async ({
  page,
  browser,
}) => {
  await page.goto('/e2e/pages/streaming.html');
  await page.waitForFunction(() => 'streamingPage' in window);
  const shallow = { ...SHAPE, layers: 6 };
  await page.evaluate((shape) => window.streamingPage.write(shape), shallow);
  const few = await page.evaluate((shape) => window.streamingPage.score(shape, 16), shallow);
  const before = await peakOfPages(browser);

  const written = await page.evaluate((shape) => window.streamingPage.write(shape), SHAPE);
  const many = await page.evaluate((shape) => window.streamingPage.score(shape, 16), SHAPE);
  const after = await peakOfPages(browser);
  await page.evaluate((shape) => window.streamingPage.delete(shape), SHAPE);

  expect(many).toMatchObject({ fileBytes: written, scoredLayers: SHAPE.layers, liveTensors: 0 });
  expect(Number.isFinite(many.loss)).toBe(true);
  const budget = 256 * MEBIBYTE;
  expect(many.weightBytes).toBeGreaterThan(budget);
  // Tensors of the runtime: a few layers, and no more for eight times the depth but the inputs of the blocks (16 x 384 floats each).
  expect(many.peakBytes).toBeLessThan(6 * many.layerBytes);
  expect(many.peakBytes - few.peakBytes).toBeLessThan(0.5 * many.layerBytes);
  // The whole process, with its code, its copies and what the collector has not come to on a busy machine: less than half of what the further weights would add.
  if (before !== undefined && after !== undefined)
    expect(after - before).toBeLessThan(0.5 * (many.weightBytes - few.weightBytes));
});
