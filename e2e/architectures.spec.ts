import { readFile } from 'node:fs/promises';
import { expect, test } from '@playwright/test';
import {
  type FixtureName,
  fixtureFolder,
  openFixture,
  relativeDifference,
} from '../src/architecture/testing/fixture.ts';
import type { ArchitecturesPage } from './pages/architectures.ts';

declare global {
  interface Window {
    readonly architecturesPage: ArchitecturesPage;
  }
}

test.beforeEach(async ({ page }) => {
  await page.goto('/e2e/pages/architectures.html');
  await page.waitForFunction(() => 'architecturesPage' in window);
});

/** Between them they have every operator and every optional weight; the other fixtures run in Node. */
const NAMES: readonly FixtureName[] = ['llama-biases', 'gemma3', 'phi3-longrope'];

for (const backend of ['wasm', 'webgpu'] as const) {
  for (const name of NAMES) {
    test(`logits, losses and gradients of ${name} on ${backend} are those of PyTorch`, async ({ page }) => {
      if (backend === 'webgpu') {
        const support = await page.evaluate(() => window.architecturesPage.support());
        test.skip(
          !support.available && process.env.REQUIRE_WEBGPU !== '1',
          `This browser has no WebGPU: ${support.reason}`,
        );
        expect(support.reason, 'WebGPU is required (REQUIRE_WEBGPU=1)').toBeUndefined();
      }
      const { windows, expected } = await openFixture(name);
      const contents = async (file: string) => [file, [...(await readFile(`${fixtureFolder(name)}/${file}`))]] as const;
      const files = Object.fromEntries(await Promise.all(['config.json', 'model.safetensors'].map(contents)));
      const found = await page.evaluate(([where, model]) => window.architecturesPage.run(where, model), [
        backend,
        { files, windows },
      ] as const);
      expect(relativeDifference(found.logits, await expected.read('logits'))).toBeLessThan(5e-5);
      expect(relativeDifference(found.losses, await expected.read('losses'))).toBeLessThan(5e-5);
      const hidden = [...expected.tensors.keys()].filter((tensor) => tensor.startsWith('hidden.'));
      expect(hidden.length).toBeGreaterThan(2);
      for (const tensor of hidden)
        expect(relativeDifference(found.gradients[tensor] ?? [], await expected.read(tensor)), tensor).toBeLessThan(
          5e-5,
        );
      const [query, down] = ['1/attention.query', '1/mlp.down'].map((key) => found.gradients[key] ?? []);
      const fused = expected.tensors.has('model.layers.1.self_attn.qkv_proj.weight');
      const queries = await expected.read(
        `model.layers.1.self_attn.${fused ? 'qkv' : 'q'}_proj.weight`,
        fused ? { start: 0, end: (query?.length ?? 0) / 32 } : undefined,
      );
      expect(relativeDifference(query ?? [], queries)).toBeLessThan(5e-5);
      expect(relativeDifference(down ?? [], await expected.read('model.layers.1.mlp.down_proj.weight'))).toBeLessThan(
        5e-5,
      );
    });
  }
}
