import { expect, test } from '@playwright/test';
import { type DecodeRandomOptions, decodeRandom } from '../src/generate/testing/decode-random.ts';
import { createNodeRuntime } from '../src/runtime/node.ts';
import type { DecoderPage } from './pages/decoder.ts';

declare global {
  interface Window {
    readonly decoderPage: DecoderPage;
  }
}

test.beforeEach(async ({ page }) => {
  await page.goto('/e2e/pages/decoder.html');
  await page.waitForFunction(() => 'decoderPage' in window);
});

const PRUNED = {
  widths: [
    { keyValueHeads: 1, neurons: 17 },
    { keyValueHeads: 0, neurons: 0 },
    { keyValueHeads: 2, neurons: 40 },
  ],
};

const CASES: Readonly<Record<string, DecodeRandomOptions>> = {
  'a dense decoder, cache in place': { model: {}, dataType: 'f32', cache: 'fixed' },
  'a dense decoder, growing cache': { model: {}, dataType: 'f32', cache: 'growing' },
  'a dense decoder, captured': { model: {}, dataType: 'f32', cache: 'captured' },
  'a pruned decoder with biases, captured': { model: { ...PRUNED, biases: true }, dataType: 'f32', cache: 'captured' },
  'a pruned decoder': { model: PRUNED, dataType: 'f32', cache: 'fixed' },
  'a decoder with biases': { model: { biases: true }, dataType: 'f32', cache: 'fixed' },
  'a decoder that rotates apart': { model: { headDimension: 8 }, dataType: 'f32', cache: 'fixed' },
  'a decoder in ordinary operators': { model: { headDimension: 12 }, dataType: 'f32', cache: 'growing' },
  'an 8-bit decoder': { model: { hiddenSize: 64, neurons: 64 }, dataType: 'q8', cache: 'fixed' },
  'a 4-bit decoder': { model: { hiddenSize: 64, neurons: 64 }, dataType: 'q4', cache: 'fixed' },
  'a 4-bit decoder with ragged widths': { model: PRUNED, dataType: 'q4', cache: 'fixed' },
};

for (const backend of ['wasm', 'webgpu'] as const) {
  for (const [name, options] of Object.entries(CASES)) {
    test(`${name} gives on ${backend} what it gives in Node`, async ({ page }) => {
      if (backend === 'webgpu') {
        const support = await page.evaluate(() => window.decoderPage.support());
        test.skip(!support.available && process.env.REQUIRE_WEBGPU !== '1', `This browser has no WebGPU: ${support.reason}`);
        expect(support.reason, 'WebGPU is required (REQUIRE_WEBGPU=1)').toBeUndefined();
      }
      using runtime = await createNodeRuntime({ threads: 1 });
      const expected = await decodeRandom(runtime, options);
      const actual = await page.evaluate(([where, what]) => window.decoderPage.run(where, what), [backend, options] as const);
      const differences = expected.logits.map((row, step) => Math.max(...row.map((value, id) => Math.abs(value - (actual.logits[step]?.[id] ?? Number.NaN)))));
      expect(actual.tokenIds).toEqual(expected.tokenIds);
      expect(Math.max(...differences)).toBeLessThan(options.dataType === 'f32' ? 1e-4 : 0.5);
    });
  }
}
