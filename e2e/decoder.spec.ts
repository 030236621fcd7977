import { expect, type Page, test } from '@playwright/test';
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

/** On WebGPU the rest runs in Node (src/generate/webgpu.test.ts). */
const IN_BROWSER = ['a pruned decoder with biases, captured', 'a 4-bit decoder with ragged widths'];

const CASES: Readonly<Record<string, DecodeRandomOptions>> = {
  'a dense decoder, cache in place': { model: {}, dataType: 'f32', cache: 'fixed' },
  'a dense decoder, growing cache': { model: {}, dataType: 'f32', cache: 'growing' },
  'a pruned decoder with biases, captured': { model: { ...PRUNED, biases: true }, dataType: 'f32', cache: 'captured' },
  'a pruned decoder': { model: PRUNED, dataType: 'f32', cache: 'fixed' },
  'a decoder that rotates apart': { model: { headDimension: 8 }, dataType: 'f32', cache: 'fixed' },
  'a decoder in ordinary operators': { model: { headDimension: 12 }, dataType: 'f32', cache: 'growing' },
  'an 8-bit decoder': { model: { hiddenSize: 64, neurons: 64 }, dataType: 'q8', cache: 'fixed' },
  'a 4-bit decoder with ragged widths': { model: PRUNED, dataType: 'q4', cache: 'fixed' },
};

/** Attention over 32 tokens and more takes other kernels than over few. */
const LONG_PROMPT = 44;

async function needs(backend: 'wasm' | 'webgpu', page: Page): Promise<void> {
  if (backend === 'wasm') return;
  const support = await page.evaluate(() => window.decoderPage.support());
  test.skip(!support.available && process.env.REQUIRE_WEBGPU !== '1', `This browser has no WebGPU: ${support.reason}`);
  expect(support.reason, 'WebGPU is required (REQUIRE_WEBGPU=1)').toBeUndefined();
}

for (const backend of ['wasm', 'webgpu'] as const) {
  test(`decoders give on ${backend} what they give in Node`, async ({ page }) => {
    await needs(backend, page);
    const cases = Object.fromEntries(
      Object.entries(CASES).filter(([name]) => backend === 'wasm' || IN_BROWSER.includes(name)),
    );
    using runtime = await createNodeRuntime({ threads: 1 });
    const found = await page.evaluate(([where, what]) => window.decoderPage.run(where, what), [
      backend,
      cases,
    ] as const);
    for (const [name, options] of Object.entries(cases)) {
      const expected = await decodeRandom(runtime, options);
      const actual = found[name];
      const differences = expected.logits.map((row, step) =>
        Math.max(...row.map((value, id) => Math.abs(value - (actual?.logits[step]?.[id] ?? Number.NaN)))),
      );
      expect(actual?.tokenIds, name).toEqual(expected.tokenIds);
      expect(Math.max(...differences), name).toBeLessThan(options.dataType === 'f32' ? 1e-4 : 0.5);
    }
  });

  test(`a prompt of ${LONG_PROMPT} tokens gives on ${backend} what the block programs give`, async ({ page }) => {
    await needs(backend, page);
    const cases: readonly DecodeRandomOptions[] = [
      { model: {}, dataType: 'f32', cache: 'fixed' },
      { model: { ...PRUNED, headDimension: 32 }, dataType: 'f32', cache: 'fixed' },
    ];
    const call = [backend, cases, LONG_PROMPT] as const;
    const differences = await page.evaluate(
      ([where, what, length]) => window.decoderPage.differenceToBlocks(where, what, length),
      call,
    );
    expect(differences).toHaveLength(cases.length);
    expect(Math.max(...differences)).toBeLessThan(1e-4);
  });
}

test('decoding goes on with the same tokens when the device is lost, or has no memory left', async ({ page }) => {
  await needs('webgpu', page);
  const expected = await page.evaluate(() => window.decoderPage.survive('none'));
  expect(expected).toMatchObject({ opened: [], sentences: [] });
  const lost = await page.evaluate(() => window.decoderPage.survive('lost'));
  expect(lost).toMatchObject({ tokenIds: expected.tokenIds, opened: ['webgpu'] });
  expect(lost.sentences).toEqual([
    expect.stringMatching(/the graphics device was lost .* The model was opened again: decoder of .* on WebGPU/),
  ]);
  const full = await page.evaluate(() => window.decoderPage.survive('out of memory'));
  expect(full).toMatchObject({ tokenIds: expected.tokenIds, opened: ['wasm'] });
  expect(full.sentences).toEqual([
    expect.stringMatching(
      /out of memory \(injected by the test\).* The model was opened again: decoder of .* on WebAssembly/,
    ),
  ]);
});
