import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { modelOf } from '../architecture/model.ts';
import {
  FIXTURES,
  type FixtureName,
  fixtureFolder,
  openFixture,
  relativeDifference,
} from '../architecture/testing/fixture.ts';
import { blockProgramLogits } from '../export/block-logits.ts';
import { OpenModel } from '../library/open-model.ts';
import { createNodeWebGpuRuntime } from '../runtime/node-webgpu.ts';
import { describeOnWebGpu, GPU_TIMEOUT } from '../runtime/testing/webgpu.ts';
import type { WebGpuRuntime } from '../runtime/webgpu-runtime.ts';
import { decoderForModel } from './model-decoder.ts';
import { greatest } from './sampling.ts';

/** Families that other tests of WebGPU compute. */
const ELSEWHERE: readonly FixtureName[] = [
  ...(['llama', 'llama-biases', 'mistral', 'qwen2', 'qwen2-yarn', 'qwen3', 'gemma3', 'phi3', 'phi3-longrope'] as const),
  ...(['qwen3-5', 'qwen3-5-shared'] as const),
];
const NAMES = FIXTURES.filter((name) => !ELSEWHERE.includes(name));

/** Tokens that are decoded of each family: the prompt at once, then one by one. */
const DECODED = 4;

describeOnWebGpu('every other family on WebGPU', { timeout: GPU_TIMEOUT }, () => {
  let card: WebGpuRuntime;
  beforeAll(async () => {
    card = await createNodeWebGpuRuntime();
  }, GPU_TIMEOUT);
  afterAll(() => card.dispose());

  test.each(NAMES)('%s has the logits of PyTorch, and goes on as it does', async (name) => {
    const { prompt, dense } = JSON.parse(await readFile(join(fixtureFolder(name), 'greedy.json'), 'utf8')) as {
      readonly prompt: readonly number[];
      readonly dense: readonly number[];
    };
    const { checkpoint, windows, expected } = await openFixture(name);
    using open = new OpenModel(card, checkpoint);
    const found = await blockProgramLogits(open.programs, open.store)(windows[0] ?? []);
    const logits = await expected.read('logits');
    expect(relativeDifference(found, logits.subarray(0, found.length))).toBeLessThan(5e-5);
    using decoder = await decoderForModel(card, modelOf(checkpoint), { dataType: 'f32' });
    using sequence = decoder.start(prompt.length + DECODED);
    const tokens = [...prompt];
    for (let last = await sequence.append(prompt); tokens.length < prompt.length + DECODED; ) {
      const next = greatest(last);
      tokens.push(next);
      if (tokens.length < prompt.length + DECODED) last = await sequence.append([next]);
    }
    expect(tokens).toEqual(dense.slice(0, tokens.length));
  });
});
