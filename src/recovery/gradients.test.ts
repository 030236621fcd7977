import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { forwardBlocks } from '../architecture/forward.ts';
import { exampleBindings } from '../architecture/programs.ts';
import { openFixture } from '../architecture/testing/fixture.ts';
import { randomLlama } from '../export/testing/random-llama.ts';
import { OpenModel } from '../library/open-model.ts';
import type { Graph } from '../onnx/graph.ts';
import { createRandom, seededRandom } from '../random.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { adaptedBlock, adaptedGradient, adaptedSizes } from './adapted-block.ts';
import { dropoutMask } from './dropout.ts';
import { keptGraphs } from './kept-activations.ts';
import { mergeQuantised, quantisedCheckpoint } from './recovered-checkpoint.ts';
import { type AdaptedTestOptions, adaptedModel, randomWindows } from './testing/adapted.ts';
import { adapterParameters, meanLoss, meanLossBy, stepGradients } from './training-step.ts';
import { partsOf, trainingBatch } from './training-windows.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

const batches = (vocabulary: number) => partsOf(randomWindows(2, vocabulary), 1).map(trainingBatch);

/** Every A and every B: the slope along a random direction against central differences of the loss. */
async function expectSlopes(
  checkpoint: Parameters<typeof adaptedModel>[1],
  options: AdaptedTestOptions,
  dropout = 0,
): Promise<void> {
  using setup = await adaptedModel(runtime, checkpoint, { ...options, trained: true });
  const runs = batches(setup.base.architecture.config.vocabulary);
  const step = { dropout: dropout > 0 ? (run: number) => ({ share: dropout, seed: 2, step: 5, run }) : undefined };
  const { gradients } = await stepGradients(setup.model, runs, step);
  const random = createRandom(8);
  const parameters = adapterParameters(setup.adapters);
  expect(parameters).toHaveLength(
    (options.groupSteps ? 21 : 14) * setup.adapters.filter(({ size }) => size > 0).length,
  );
  for (const [index, values] of parameters.entries()) {
    const direction = Float32Array.from(values, () => random.normal());
    const start = values.slice();
    const lossAt = async (distance: number) => {
      for (const place of values.keys()) values[place] = (start[place] ?? 0) + distance * (direction[place] ?? 0);
      const { loss } = await stepGradients(setup.model, runs, step);
      values.set(start);
      return loss;
    };
    const distance = 4e-3;
    const difference = ((await lossAt(distance)) - (await lossAt(-distance))) / (2 * distance);
    const slope = direction.reduce((sum, value, place) => sum + value * (gradients[index]?.[place] ?? Number.NaN), 0);
    const size = Math.sqrt(gradients[index]?.reduce((sum, value) => sum + value * value, 0) ?? 0);
    expect(size).toBeGreaterThan(0);
    expect(Math.abs(slope - difference), `parameter ${index}: ${slope} and ${difference}`).toBeLessThan(
      1e-2 * Math.max(Math.abs(slope), size) + 2e-4,
    );
  }
}

describe('gradients of adapters against finite differences', () => {
  test.each(['llama', 'phi3'] as const)('group-wise on %s, a last group of fewer inputs', async (name) => {
    await expectSlopes((await openFixture(name)).checkpoint, { method: 'group-wise' });
  });

  test.each(['llama', 'phi3'] as const)('steps of groups beside them on %s', async (name) => {
    await expectSlopes((await openFixture(name)).checkpoint, { method: 'group-wise', groupSteps: true }, 0.2);
  });

  test('plain LoRA, biases beside the weights', async () => {
    await expectSlopes((await openFixture('llama-biases')).checkpoint, { method: 'lora', scale: 4 });
  });

  test.each(['group-wise', 'lora'] as const)(
    '%s with dropout, widths of its own in every layer and a block that was removed',
    async (method) => {
      const widths = [
        { keyValueHeads: 1, neurons: 20 },
        { keyValueHeads: 0, neurons: 0 },
        { keyValueHeads: 2, neurons: 32 },
      ];
      await expectSlopes(
        randomLlama({ widths, neurons: 40, hiddenSize: 32, headDimension: 8 }),
        { method, rank: 2, scale: method === 'lora' ? 2 : 16 },
        0.2,
      );
    },
  );
});

test('trained steps merge exactly: the merged weights give the loss of the adapted model', async () => {
  const { checkpoint } = await openFixture('phi3');
  using setup = await adaptedModel(runtime, checkpoint, { method: 'group-wise', groupSteps: true, trained: true });
  const runs = batches(setup.base.architecture.config.vocabulary);
  const merged = quantisedCheckpoint(
    checkpoint,
    mergeQuantised(setup.base, setup.quantised ?? new Map(), setup.adapters),
  );
  using plain = new OpenModel(runtime, merged);
  const own = await meanLossBy(plain, runs, async (pass) =>
    forwardBlocks(
      plain.programs,
      plain.store,
      pass.map(({ ids }) => ids),
    ),
  );
  expect(own).toBeCloseTo(await meanLoss(setup.model, runs), 5);
  const codes = setup.quantised?.get('model.layers.0.mlp.down_proj.weight');
  const after = merged.groupQuantised?.('model.layers.0.mlp.down_proj.weight');
  expect(after?.codes).toEqual(codes?.codes);
  expect(after?.steps).not.toEqual(codes?.steps);
  expect(after?.steps.every((step) => step > 0)).toBe(true);
});

test('streamed weights give the loss and the gradients of resident ones', async () => {
  const { checkpoint } = await openFixture('llama');
  const found = [];
  for (const resident of [true, false]) {
    using setup = await adaptedModel(runtime, checkpoint, { method: 'group-wise', trained: true, resident });
    expect(setup.store.resident).toBe(resident);
    found.push(
      await stepGradients(setup.model, batches(48), { dropout: (run) => ({ share: 0.1, seed: 1, step: 1, run }) }),
    );
  }
  expect(found[0]).toEqual(found[1]);
});

describe('kept activations', () => {
  const widths = [
    { keyValueHeads: 1, neurons: 20 },
    { keyValueHeads: 0, neurons: 0 },
    { keyValueHeads: 2, neurons: 32 },
  ];

  test.each([
    { method: 'group-wise', dropout: 0.2, resident: true, groupSteps: false },
    { method: 'group-wise', dropout: 0.2, resident: false, groupSteps: true },
    { method: 'group-wise', dropout: 0, resident: false, groupSteps: false },
    { method: 'lora', dropout: 0.2, resident: false, groupSteps: false },
    { method: 'lora', dropout: 0, resident: true, groupSteps: false },
  ] as const)(
    'give the loss and gradients of recomputed ones: $method, dropout $dropout, resident weights: $resident, steps: $groupSteps',
    async ({ method, dropout, resident, groupSteps }) => {
      const checkpoint = randomLlama({ widths, neurons: 40, hiddenSize: 32, headDimension: 8 });
      const found = [];
      // None, some layers and runs, all of them.
      for (const activationBytes of [0, 16_000, 2 ** 30]) {
        using setup = await adaptedModel(runtime, checkpoint, {
          method,
          trained: true,
          resident,
          activationBytes,
          groupSteps,
        });
        const runs = batches(setup.base.architecture.config.vocabulary);
        const step = {
          dropout: dropout > 0 ? (run: number) => ({ share: dropout, seed: 2, step: 5, run }) : undefined,
        };
        const first = await stepGradients(setup.model, runs, step);
        runtime.resetPeak();
        expect(await stepGradients(setup.model, runs, step)).toEqual(first);
        const { peakBytes, liveBytes } = runtime.statistics();
        found.push({ ...first, peakBytes: peakBytes - liveBytes });
      }
      const [recomputed, ...others] = found;
      for (const { loss, gradients } of others) {
        expect(loss).toBeCloseTo(recomputed?.loss ?? Number.NaN, 6);
        for (const [index, values] of gradients.entries()) {
          const expected = recomputed?.gradients[index] ?? new Float32Array();
          const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
          expect(largest).toBeGreaterThan(0);
          for (const [place, value] of values.entries())
            expect(Math.abs(value - (expected[place] ?? Number.NaN))).toBeLessThan(1e-5 * largest);
        }
      }
      const [none = 0, some = 0, all = 0] = found.map(({ peakBytes }) => peakBytes);
      expect(some).toBeGreaterThan(none);
      expect(some).toBeLessThan(all);
    },
  );

  test('leave no products but those of gradients in the backward program, and only what it reads is kept', async () => {
    using setup = await adaptedModel(runtime, (await openFixture('llama')).checkpoint, { method: 'lora' });
    const { architecture } = setup.base;
    const block = architecture.block();
    const options = { strength: 2, pooled: false, dropout: true };
    const backward = adaptedGradient(block, options, exampleBindings(architecture));
    const { gradient, values } = keptGraphs(
      adaptedBlock(block, options),
      backward,
      adaptedSizes(block, exampleBindings(architecture)),
    );
    const products = ({ nodes }: Graph) =>
      nodes.filter(({ operator }) => operator === 'Gemm' || operator === 'MatMul').length;
    // dX, dB and the gradient of its low rank for each of 7 weights, dA and its part of dX for each of 4 inputs, and 4 of attention beside its product of queries and keys.
    expect(products(gradient)).toBe(3 * 7 + 2 * 4 + 5);
    expect(products(backward)).toBeGreaterThan(products(gradient) + 10);
    for (const value of values) expect(gradient.nodes.some(({ inputs }) => inputs.includes(value))).toBe(true);
  });
});

test('the loss is the mean over what is learnt, and padding changes nothing', async () => {
  const { checkpoint } = await openFixture('llama');
  using setup = await adaptedModel(runtime, checkpoint, { method: 'lora', trained: true });
  const windows = randomWindows(5, 48);
  const alone = await Promise.all(
    windows.map(async (window) => ({
      loss: await meanLoss(setup.model, [trainingBatch([window])]),
      rows: trainingBatch([window]).rows.length,
    })),
  );
  const rows = alone.reduce((sum, part) => sum + part.rows, 0);
  const expected = alone.reduce((sum, part) => sum + part.loss * part.rows, 0) / rows;
  expect(await meanLoss(setup.model, [trainingBatch(windows)])).toBeCloseTo(expected, 5);
  expect((await stepGradients(setup.model, [trainingBatch(windows)])).loss).toBeCloseTo(expected, 5);
});

test('nothing stays on the device', async () => {
  const { checkpoint } = await openFixture('llama');
  const before = runtime.statistics().liveTensors;
  {
    using setup = await adaptedModel(runtime, checkpoint, { method: 'group-wise' });
    await stepGradients(setup.model, batches(48), { dropout: (run) => ({ share: 0.1, seed: 1, step: 1, run }) });
    const stopped = AbortSignal.abort();
    await expect(stepGradients(setup.model, batches(48), { signal: stopped })).rejects.toThrow('cancelled');
  }
  await Promise.resolve();
  expect(runtime.statistics().liveTensors).toBe(before);
});

test('a dropout mask leaves out its share, keeps the mean, and is the same for the same seed', () => {
  const mask = dropoutMask(40_000, 0.05, 3);
  const dropped = mask.filter((value) => value === 0).length;
  expect(dropped).toBeGreaterThan(1850);
  expect(dropped).toBeLessThan(2150);
  expect(new Set(mask)).toEqual(new Set([0, Math.fround(1 / 0.95)]));
  expect(dropoutMask(40_000, 0.05, 3)).toEqual(mask);
  // The geometric distribution by its formula, draw by draw.
  const random = seededRandom(3);
  const expected = new Float32Array(40_000).fill(1 / 0.95);
  const gap = () => Math.floor(Math.log(1 - random()) * (1 / Math.log(0.95)));
  for (let place = gap(); place < expected.length; place += 1 + gap()) expected[place] = 0;
  expect(mask).toEqual(expected);
  expect(dropoutMask(40_000, 0.05, 4)).not.toEqual(mask);
});
