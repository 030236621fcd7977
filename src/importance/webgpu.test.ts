import { afterAll, beforeAll, expect, test } from 'vitest';
import { computeAll } from '../architecture/testing/compute.ts';
import { openFixture, relativeDifference } from '../architecture/testing/fixture.ts';
import { perplexity } from '../evaluate/perplexity.ts';
import { randomLlama } from '../export/testing/random-llama.ts';
import { OpenModel } from '../library/open-model.ts';
import { recover } from '../library/recover.ts';
import { blockGradients } from '../passes/testing/block-gradient.ts';
import { randomWindows } from '../recovery/testing/adapted.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import { createNodeWebGpuRuntime } from '../runtime/node-webgpu.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { describeOnWebGpu, GPU_TIMEOUT } from '../runtime/testing/webgpu.ts';
import type { WebGpuRuntime } from '../runtime/webgpu-runtime.ts';
import { importance } from './importance.ts';
import { METRICS, type Metric, type ModuleScores } from './sums/scores.ts';
import { kendallTau } from './testing/rank-correlation.ts';
import { readReference, referenceCheckpoint } from './testing/reference.ts';

const RANDOM = {
  ...{ layers: 2, hiddenSize: 32, queryHeads: 4, keyValueHeads: 2, headDimension: 8 },
  ...{ neurons: 40, vocabulary: 48, seed: 11 },
};
const WINDOWS = Array.from({ length: 3 }, (_, window) =>
  Array.from({ length: 12 }, (_, token) => (token * 7 + window * 13) % 48),
);

type Layers = readonly Record<'attention' | 'mlp', Partial<Record<Metric, ArrayLike<number>>>>[];

/** What scoring, training and measuring compute on WebGPU is what the processor, PyTorch and float64 compute. */
describeOnWebGpu('gradients, scores and training on WebGPU', { timeout: GPU_TIMEOUT }, () => {
  let card: WebGpuRuntime;
  let processor: Runtime;
  beforeAll(async () => {
    card = await createNodeWebGpuRuntime();
    processor = await createNodeRuntime({ threads: 1 });
  }, GPU_TIMEOUT);
  afterAll(() => {
    for (const runtime of [card, processor]) runtime.dispose();
  });

  test.each([
    ['a plain block', {}],
    [
      'a block with fused projections, biases and head norms',
      { fusedQkv: true, fusedGateUp: true, bias: true, headNorm: true },
    ],
  ])('gradients of %s', async (_, options) => {
    const [expected, actual] = [await blockGradients(processor, options), await blockGradients(card, options)];
    expect(Object.keys(actual)).toEqual(Object.keys(expected));
    for (const [output, values] of Object.entries(expected))
      expect(relativeDifference(actual[output] ?? [], values), output).toBeLessThan(1e-4);
  });

  // Between them they have every operator and every optional weight; all fixtures run on the processor.
  test.each(['llama-biases', 'gemma3', 'phi3-longrope', 'qwen3-5-shared'] as const)(
    'logits, losses and gradients of %s are those of PyTorch',
    async (name) => {
      const { checkpoint, windows, expected } = await openFixture(name);
      const found = await computeAll(card, checkpoint, windows);
      expect(relativeDifference(found.logits, await expected.read('logits'))).toBeLessThan(5e-5);
      expect(relativeDifference(found.losses, await expected.read('losses'))).toBeLessThan(5e-5);
      const hidden = [...expected.tensors.keys()].filter((tensor) => tensor.startsWith('hidden.'));
      expect(hidden.length).toBeGreaterThan(2);
      for (const tensor of [...hidden, 'model.layers.1.mlp.down_proj.weight']) {
        const gradient = found.gradients.get(tensor.startsWith('hidden.') ? tensor : '1/mlp.down') ?? [];
        expect(relativeDifference(gradient, await expected.read(tensor)), tensor).toBeLessThan(5e-5);
      }
    },
  );

  test.each([undefined, 'onnx'] as const)('every metric of a drawn model, element metrics by %s', async (engine) => {
    const checkpoint = randomLlama(RANDOM);
    const on = async (runtime: Runtime) => {
      using open = new OpenModel(runtime, checkpoint, { residentBytes: 0 });
      const { structuresOf } = open;
      const how = runtime === card && engine ? { elementEngine: engine } : {};
      return importance(open.programs, open.store, WINDOWS, { structuresOf, ...how });
    };
    const [expected, actual] = [await on(processor), await on(card)];
    expect(Math.abs(actual.loss / expected.loss - 1)).toBeLessThan(1e-5);
    for (const metric of METRICS) expect(worst(expected.layers, actual.layers, metric), metric).toBeLessThan(2e-3);
  });

  test('scores and perplexities are those of PyTorch in float64', async () => {
    const reference = readReference();
    using open = new OpenModel(card, await referenceCheckpoint());
    const { structuresOf } = open;
    const actual = await importance(open.programs, open.store, reference.calibration, { structuresOf });
    for (const metric of Object.keys(reference.layers[0]?.mlp ?? {}) as Metric[]) {
      expect(worst(reference.layers, actual.layers, metric), metric).toBeLessThan(1e-3);
      for (const [layer, { mlp }] of reference.layers.entries())
        expect(kendallTau(mlp[metric] ?? [], actual.layers[layer]?.mlp[metric] ?? []), metric).toBeGreaterThan(0.999);
    }
    const measured = await perplexity(open.programs, open.store, reference.evaluation);
    expect(Math.abs(measured.perplexity / reference.perplexity - 1)).toBeLessThan(1e-4);
  });

  test.each([false, true])('the losses of recovery fall as on the processor; trained steps: %s', async (groupSteps) => {
    const checkpoint = randomLlama({ hiddenSize: 64, neurons: 48, headDimension: 16 });
    const examples = randomWindows(6, 64);
    const settings = { method: 'group-wise', groupSteps, steps: 3, learningRate: 0.02, examples } as const;
    const on = async (runtime: Runtime) => {
      using open = new OpenModel(runtime, checkpoint);
      const { model, history } = await recover(open, settings);
      model.dispose();
      return history.map(({ loss, heldOutLoss }) => loss ?? heldOutLoss ?? Number.NaN);
    };
    const [expected, actual] = [await on(processor), await on(card)];
    expect(expected).toHaveLength(4);
    expect(expected.at(-1)).toBeLessThan((expected[0] ?? 0) - 1);
    for (const [step, loss] of expected.entries())
      expect(Math.abs((actual[step] ?? Number.NaN) - loss)).toBeLessThan(1e-4);
  });
});

/** Largest relative difference of a metric over all groups that are not near zero (1e-6 of the layer's largest). */
function worst(expected: Layers, actual: readonly Record<'attention' | 'mlp', ModuleScores>[], metric: Metric): number {
  let largest = 0;
  for (const [index, layer] of expected.entries()) {
    for (const module of ['attention', 'mlp'] as const) {
      const values = Array.from(layer[module][metric] ?? []);
      const found = actual[index]?.[module][metric];
      expect(found?.every(Number.isFinite)).toBe(true);
      const scale = Math.max(...values.map(Math.abs));
      for (const [group, value] of values.entries())
        if (Math.abs(value) > 1e-6 * scale)
          largest = Math.max(largest, Math.abs((found?.[group] ?? Number.NaN) / value - 1));
    }
  }
  return largest;
}
