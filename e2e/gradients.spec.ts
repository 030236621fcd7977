import { expect, test } from '@playwright/test';
import { blockGradients } from '../src/passes/testing/block-gradient.ts';
import { createNodeRuntime } from '../src/runtime/node.ts';
import type { GradientsPage } from './pages/gradients.ts';

declare global {
  interface Window {
    readonly gradientsPage: GradientsPage;
  }
}

test.beforeEach(async ({ page }) => {
  await page.goto('/e2e/pages/gradients.html');
  await page.waitForFunction(() => 'gradientsPage' in window);
});

const BLOCKS = {
  'a plain block': {},
  'a block with fused projections, biases and head norms': {
    fusedQkv: true,
    fusedGateUp: true,
    bias: true,
    headNorm: true,
  },
};

for (const backend of ['wasm', 'webgpu'] as const) {
  for (const [name, options] of Object.entries(BLOCKS)) {
    test(`the gradients of ${name} on ${backend} are those of Node`, async ({ page }) => {
      if (backend === 'webgpu') {
        const support = await page.evaluate(() => window.gradientsPage.support());
        test.skip(
          !support.available && process.env.REQUIRE_WEBGPU !== '1',
          `This browser has no WebGPU: ${support.reason}`,
        );
        expect(support.reason, 'WebGPU is required (REQUIRE_WEBGPU=1)').toBeUndefined();
      }
      using runtime = await createNodeRuntime({ threads: 1 });
      const expected = await blockGradients(runtime, options);
      const actual = await page.evaluate(([where, block]) => window.gradientsPage.run(where, block), [
        backend,
        options,
      ] as const);
      expect(Object.keys(actual)).toEqual(Object.keys(expected));
      for (const [output, values] of Object.entries(expected)) {
        const scale = Math.max(...values.map(Math.abs));
        const worst = Math.max(
          ...values.map((value, index) => Math.abs(value - (actual[output]?.[index] ?? Number.NaN))),
        );
        expect(worst / scale, `${output} relative to its largest value`).toBeLessThan(1e-4);
      }
    });
  }
}
