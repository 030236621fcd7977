import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Model } from '../architecture/model.ts';
import { modelOf } from '../architecture/model.ts';
import { FIXTURES, openFixture } from '../architecture/testing/fixture.ts';
import { UsageError } from '../errors.ts';
import { randomLlama } from '../export/testing/random-llama.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import { createNodeWebGpuRuntime } from '../runtime/node-webgpu.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { describeOnWebGpu, GPU_TIMEOUT } from '../runtime/testing/webgpu.ts';
import { createWebRuntime } from '../runtime/web.ts';
import type { Decoder } from './decoder.ts';
import { decoderForModel } from './model-decoder.ts';

const TEXTS = [
  [3, 14, 15, 9, 20],
  [5, 22, 8, 9, 7],
  [9, 3, 2, 23, 4],
];

/** Logits [texts][tokens][vocabulary] of texts together. */
async function together(decoder: Decoder): Promise<number[][][]> {
  using batch = decoder.startTogether(TEXTS.length, 5);
  const logits: number[][][] = TEXTS.map(() => []);
  for (let place = 0; place < 5; place++) {
    const rows = await batch.append(TEXTS.map((ids) => ids[place] ?? 0));
    for (const [index, row] of rows.entries()) logits[index]?.push([...row]);
  }
  return logits;
}

/** The same, each text alone. */
async function oneByOne(decoder: Decoder): Promise<number[][][]> {
  const logits: number[][][] = [];
  for (const ids of TEXTS) {
    using sequence = decoder.start(ids.length);
    const rows: number[][] = [];
    for (const id of ids) rows.push([...(await sequence.append([id]))]);
    logits.push(rows);
  }
  return logits;
}

async function expectSame(runtime: Runtime, model: Model): Promise<void> {
  using decoder = await decoderForModel(runtime, model);
  const [found, expected] = [(await together(decoder)).flat(2), (await oneByOne(decoder)).flat(2)];
  const largest = Math.max(...expected.map(Math.abs));
  expect(found.length).toBe(expected.length);
  expect(Math.max(...found.map((value, index) => Math.abs(value - (expected[index] ?? Number.NaN))))).toBeLessThan(
    1e-5 * largest,
  );
}

const PRUNED = modelOf(
  randomLlama({
    widths: [
      { keyValueHeads: 1, neurons: 17 },
      { keyValueHeads: 0, neurons: 0 },
      { keyValueHeads: 2, neurons: 40 },
    ],
  }),
);

describe('texts that go through a decoder together', () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createNodeRuntime({ threads: 1 });
  });
  afterAll(() => runtime.dispose());

  test.each(FIXTURES)('%s: have the logits of each alone', async (name) => {
    await expectSame(runtime, modelOf((await openFixture(name)).checkpoint));
  });

  test('of a pruned model, on WebAssembly too', async () => {
    await expectSame(runtime, PRUNED);
    using wasm = await createWebRuntime({ backend: 'wasm', threads: 1 });
    await expectSame(wasm, PRUNED);
  });

  test('take one token each, and no more than they can hold', async () => {
    using decoder = await decoderForModel(runtime, PRUNED);
    expect(() => decoder.startTogether(0, 4)).toThrow('0 sequences were asked for; give a whole number from 1.');
    using batch = decoder.startTogether(2, 1);
    await expect(batch.append([1])).rejects.toThrow(UsageError);
    await batch.append([1, 2]);
    await expect(batch.append([1, 2])).rejects.toThrow('the sequences have their 1 tokens');
  });
});

describeOnWebGpu('texts that go through a decoder together on WebGPU', { timeout: GPU_TIMEOUT }, () => {
  test('have the logits of each alone', async () => {
    using card = await createNodeWebGpuRuntime();
    await expectSame(card, PRUNED);
  });
});
