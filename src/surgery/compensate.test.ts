import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { CancelledError, UsageError } from '../errors.ts';
import { perplexity } from '../evaluate/perplexity.ts';
import { blockProgramLogits } from '../export/block-logits.ts';
import { randomLlama } from '../export/testing/random-llama.ts';
import { referenceLogits } from '../export/testing/reference-llama.ts';
import { applyPlan } from '../library/apply-plan.ts';
import { OpenModel } from '../library/open-model.ts';
import { createRandom } from '../random.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { gauss } from './testing/gauss.ts';

const LAMBDA = 1e-3;
const TOKENS = 12;
const [HIDDEN, QUERY_CHANNELS, NEURONS, VOCABULARY] = [16, 16, 20, 32];
const checkpoint = randomLlama({
  layers: 2,
  hiddenSize: HIDDEN,
  queryHeads: 4,
  keyValueHeads: 2,
  headDimension: 4,
  neurons: NEURONS,
  vocabulary: VOCABULARY,
  seed: 8,
});
const plan = [
  { attention: [1], mlp: [0, 1, 2, 4, 5, 6, 8, 9, 11, 12, 14, 15, 17, 19] },
  { attention: [0, 1], mlp: [1, 2, 3, 5, 7, 8, 10, 11, 13, 16, 17, 18] },
];
/** Every output projection that loses channels: its kept channels worked out from the sizes. */
const projections: readonly {
  readonly layer: number;
  readonly part: string;
  readonly inputs: number;
  readonly kept: readonly number[];
}[] = [
  { layer: 0, part: 'self_attn.o_proj', inputs: QUERY_CHANNELS, kept: [8, 9, 10, 11, 12, 13, 14, 15] },
  { layer: 0, part: 'mlp.down_proj', inputs: NEURONS, kept: plan[0]?.mlp ?? [] },
  { layer: 1, part: 'mlp.down_proj', inputs: NEURONS, kept: plan[1]?.mlp ?? [] },
];

let runtime: Runtime;
let dense: OpenModel;
/** Sampled from the dense model itself: no model has a lower loss on such text in the long run, and one that is nearer to it has a lower one. */
let windows: number[][];
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
  dense = new OpenModel(runtime, checkpoint);
  windows = await sampleWindows(dense, 48);
});
afterAll(() => {
  dense.dispose();
  runtime.dispose();
});

async function sampleWindows(model: OpenModel, count: number): Promise<number[][]> {
  const random = createRandom(3);
  const logitsOf = blockProgramLogits(model.programs, model.store);
  const sampled: number[][] = [];
  for (let index = 0; index < count; index++) {
    const window = [random.integer(VOCABULARY)];
    while (window.length < TOKENS) {
      const last = (await logitsOf(window)).subarray((window.length - 1) * VOCABULARY);
      const weights = last.map(Math.exp);
      let left = random.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
      const chosen = weights.findIndex((weight) => {
        left -= weight;
        return left < 0;
      });
      window.push(Math.max(0, chosen));
    }
    sampled.push(window);
  }
  return sampled;
}

/**
 * The inputs [rows][channels] that a projection would have in the repaired model if its own module still had all of its channels, in float64 by
 * plain loops over the definition of the architecture: the repaired model with this module put back as it was.
 */
async function denseInputs(repaired: Checkpoint, layer: number, part: string): Promise<Float64Array[]> {
  const module = `model.layers.${layer}.${part.split('.')[0]}.`;
  const from = (name: string) => (name.startsWith(module) ? checkpoint : repaired);
  const widths = plan.map(({ attention, mlp }, index) => ({
    keyValueHeads: index === layer && part.startsWith('self_attn') ? 2 : attention.length,
    neurons: index === layer && part.startsWith('mlp') ? NEURONS : mlp.length,
  }));
  const restored: Checkpoint = {
    ...repaired,
    config: { ...repaired.config, espalier: { layers: widths } },
    tensors: new Map([...repaired.tensors].filter(([name]) => from(name) === repaired || checkpoint.tensors.has(name))),
    read: (name, rows) => from(name).read(name, rows),
  };
  const rows: Float64Array[] = [];
  for (const window of windows) {
    await referenceLogits(restored, window, (projection, entering) => {
      if (projection === `model.layers.${layer}.${part}`) rows.push(...entering.map((row) => row.slice()));
    });
  }
  return rows;
}

const relativeTo = (largest: number) => (found: number, wanted: number) => Math.abs(found - wanted) / largest;

describe('compensation', () => {
  it('by least squares solves the normal equations on the inputs of the repaired model, layer by layer', async () => {
    using repaired = await applyPlan(dense, plan, { compensate: 'least-squares', windows, lambda: LAMBDA });
    for (const { layer, part, inputs, kept } of projections) {
      const x = await denseInputs(repaired.model.checkpoint, layer, part);
      const product = (i: number, j: number) => x.reduce((sum, row) => sum + (row[i] ?? 0) * (row[j] ?? 0), 0);
      const ridge = (LAMBDA * kept.reduce((sum, channel) => sum + product(channel, channel), 0)) / kept.length;
      const matrix = kept.map((i) => kept.map((j) => product(i, j) + (i === j ? ridge : 0)));
      const name = `model.layers.${layer}.${part}.weight`;
      const weight = await checkpoint.read(name);
      const found = await repaired.model.checkpoint.read(name);
      const largest = Math.max(...found.map(Math.abs));
      const crossing = kept.map((channel) => Array.from({ length: inputs }, (_, input) => product(channel, input)));
      for (const output of [0, 3, HIDDEN - 1]) {
        const row = weight.subarray(output * inputs, (output + 1) * inputs);
        const right = kept.map(
          (channel, place) =>
            row.reduce((sum, w, input) => sum + w * (crossing[place]?.[input] ?? 0), 0) + ridge * (row[channel] ?? 0),
        );
        const wanted = gauss(matrix, right);
        wanted.forEach((value, place) => {
          expect(
            relativeTo(largest)(found[output * kept.length + place] ?? Number.NaN, value),
            `${name}[${output}, ${place}]`,
          ).toBeLessThan(2e-3);
        });
      }
    }
  });

  it('by bias adds what the removed channels of the repaired model give on average', async () => {
    using repaired = await applyPlan(dense, plan, { compensate: 'bias', windows });
    for (const { layer, part, inputs, kept } of projections) {
      const x = await denseInputs(repaired.model.checkpoint, layer, part);
      const weight = await checkpoint.read(`model.layers.${layer}.${part}.weight`);
      const found = await repaired.model.checkpoint.read(`model.layers.${layer}.${part}.bias`);
      const largest = Math.max(...found.map(Math.abs));
      for (let output = 0; output < HIDDEN; output++) {
        let wanted = 0;
        for (let input = 0; input < inputs; input++) {
          if (kept.includes(input)) continue;
          wanted +=
            (weight[output * inputs + input] ?? 0) * (x.reduce((sum, row) => sum + (row[input] ?? 0), 0) / x.length);
        }
        expect(
          relativeTo(largest)(found[output] ?? Number.NaN, wanted),
          `${part} of layer ${layer}, output ${output}`,
        ).toBeLessThan(1e-4);
      }
    }
    // Nothing was removed from this one, so nothing is repaired.
    expect(repaired.model.checkpoint.tensors.has('model.layers.1.self_attn.o_proj.bias')).toBe(false);
  });

  it('lowers the loss on its calibration text, least squares more than the bias', async () => {
    const lossOf = async (model: OpenModel) => (await perplexity(model.programs, model.store, windows)).loss;
    using sliced = await applyPlan(dense, plan);
    using biased = await applyPlan(dense, plan, { compensate: 'bias', windows });
    using solved = await applyPlan(dense, plan, { compensate: 'least-squares', windows });
    const [whole, none, bias, leastSquares] = [
      await lossOf(dense),
      await lossOf(sliced),
      await lossOf(biased),
      await lossOf(solved),
    ];
    expect(whole).toBeLessThan(leastSquares);
    expect(leastSquares).toBeLessThan(bias);
    expect(bias).toBeLessThan(none);
  });

  it('adds to a bias that is there already', async () => {
    const shape = {
      layers: 1,
      hiddenSize: 16,
      queryHeads: 2,
      keyValueHeads: 2,
      headDimension: 4,
      neurons: 4,
      vocabulary: VOCABULARY,
    };
    const [plain, biased] = [randomLlama({ ...shape, seed: 2 }), randomLlama({ ...shape, biases: true, seed: 2 })];
    const only = [{ attention: [0, 1], mlp: [0, 3] }];
    const biasOf = async (base: Checkpoint) => {
      using open = new OpenModel(runtime, base);
      using repaired = await applyPlan(open, only, { compensate: 'bias', windows });
      return repaired.model.checkpoint.read('model.layers.0.mlp.down_proj.bias');
    };
    const before = await biased.read('model.layers.0.mlp.down_proj.bias');
    // The attention's bias changes what enters the MLP; without it the two models have the same inputs there.
    const silent = new Float32Array(16);
    const withBias = await biasOf({
      ...biased,
      read: async (name, rows) => (name.endsWith('o_proj.bias') ? silent : biased.read(name, rows)),
    });
    const without = await biasOf(plain);
    withBias.forEach((value, index) => {
      expect(value - (before[index] ?? 0)).toBeCloseTo(without[index] ?? Number.NaN, 4);
    });
  });

  it('frees the device, also when it is cancelled, and refuses to work without text', async () => {
    const before = runtime.statistics().liveTensors;
    const controller = new AbortController();
    const running = applyPlan(dense, plan, {
      compensate: 'least-squares',
      windows,
      signal: controller.signal,
      onProgress: ({ completed }) => completed === 1 && controller.abort(),
    });
    await expect(running).rejects.toBeInstanceOf(CancelledError);
    {
      using repaired = await applyPlan(dense, plan, { compensate: 'bias', windows });
      expect(repaired.config.layerWidths[0]).toEqual({ keyValueHeads: 1, neurons: 14 });
    }
    expect(runtime.statistics().liveTensors).toBe(before);
    await expect(applyPlan(dense, plan, { compensate: 'bias' })).rejects.toBeInstanceOf(UsageError);
  });
});
