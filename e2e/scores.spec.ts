import { expect, type Page, test } from '@playwright/test';
import { randomLlama } from '../src/export/testing/random-llama.ts';
import { importance } from '../src/importance/importance.ts';
import { METRICS, type Metric } from '../src/importance/sums/scores.ts';
import { OpenModel } from '../src/library/open-model.ts';
import { createNodeRuntime } from '../src/runtime/node.ts';
import type { PlainScores, ScoresPage } from './pages/scores.ts';

declare global {
  interface Window {
    readonly scoresPage: ScoresPage;
  }
}

const RANDOM = {
  layers: 2,
  hiddenSize: 32,
  queryHeads: 4,
  keyValueHeads: 2,
  headDimension: 8,
  neurons: 40,
  vocabulary: 48,
  seed: 11,
};
const WINDOWS = Array.from({ length: 3 }, (_, window) =>
  Array.from({ length: 12 }, (_, token) => (token * 7 + window * 13) % 48),
);

type Layers = readonly Record<'attention' | 'mlp', Partial<Record<Metric, ArrayLike<number>>>>[];

test.beforeEach(async ({ page }) => {
  await page.goto('/e2e/pages/scores.html');
  await page.waitForFunction(() => 'scoresPage' in window);
});

async function requireWebGpu(page: Page): Promise<void> {
  const support = await page.evaluate(() => window.scoresPage.support());
  test.skip(!support.available && process.env.REQUIRE_WEBGPU !== '1', `This browser has no WebGPU: ${support.reason}`);
  expect(support.reason, 'WebGPU is required (REQUIRE_WEBGPU=1)').toBeUndefined();
}

/** Largest relative difference of a metric over all groups that are not near zero (1e-6 of the layer's largest). */
function worst(expected: Layers, actual: PlainScores, metric: Metric): number {
  let largest = 0;
  expected.forEach((layer, index) => {
    for (const module of ['attention', 'mlp'] as const) {
      const values = Array.from(layer[module][metric] ?? []);
      const scale = Math.max(...values.map(Math.abs));
      values.forEach((value, group) => {
        const found = actual.layers[index]?.[module][metric]?.[group] ?? Number.NaN;
        if (Math.abs(value) > 1e-6 * scale) largest = Math.max(largest, Math.abs(found - value) / Math.abs(value));
        else expect(Number.isFinite(found)).toBe(true);
      });
    }
  });
  return largest;
}

// Element metrics by ordinary operators, and scores against PyTorch, run on WebGPU in Node (src/importance/webgpu.test.ts).
for (const backend of ['wasm', 'webgpu'] as const) {
  test(`every metric of a drawn model on ${backend} is that of Node`, async ({ page }) => {
    if (backend === 'webgpu') await requireWebGpu(page);
    using runtime = await createNodeRuntime({ threads: 1 });
    using open = new OpenModel(runtime, randomLlama(RANDOM));
    const expected = await importance(open.programs, open.store, WINDOWS, { structuresOf: open.structuresOf });
    const actual = await page.evaluate(
      ([where, options, windows]) => window.scoresPage.score(where, options, windows),
      [backend, RANDOM, WINDOWS] as const,
    );
    expect(Math.abs(actual.loss / expected.loss - 1)).toBeLessThan(1e-5);
    for (const metric of METRICS) expect(worst(expected.layers, actual, metric), metric).toBeLessThan(2e-3);
    expect(actual.leaked).toBe(0);
  });
}

test("the studio's worker compares WebGPU's scores with WASM's, and says so where they differ by more than 1%", async ({
  page,
}) => {
  await requireWebGpu(page);
  const [right, wrong] = await page.evaluate(() => window.scoresPage.scoreInWorker([0, 0.05]));
  expect(right).toMatchObject({ backend: 'webgpu', started: ['wasm'], notes: [] });
  expect(right?.largest).toBeGreaterThan(0);
  expect(wrong?.started).toEqual(['wasm']);
  expect(wrong?.notes).toEqual([
    expect.stringMatching(/disagree on layer 5: .* where 1% is allowed\. Do not trust these scores/),
  ]);
});
