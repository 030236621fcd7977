import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FIXTURES, openFixture, relativeDifference } from '../architecture/testing/fixture.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { overlayCheckpoint, type Replacement } from '../checkpoint/overlay.ts';
import { MismatchError } from '../errors.ts';
import { blockProgramLogits } from '../export/block-logits.ts';
import { randomLlama } from '../export/testing/random-llama.ts';
import { referenceLogits } from '../export/testing/reference-llama.ts';
import { OpenModel } from '../library/open-model.ts';
import type { LayerPlan } from '../plan/plan.ts';
import { createRandom } from '../random.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { slicedCheckpoint } from './slice.ts';

const TOLERANCE = 3e-5;
const TOKENS = 9;

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

const shape = { layers: 2, hiddenSize: 16, headDimension: 4, neurons: 6, vocabulary: 32 };
const models: readonly { readonly name: string; readonly open: () => Promise<Checkpoint> }[] = [
  ...FIXTURES.map((name) => ({ name: `${name} fixture`, open: async () => (await openFixture(name)).checkpoint })),
  { name: 'multi-head', open: async () => randomLlama({ ...shape, queryHeads: 3, keyValueHeads: 3, seed: 2 }) },
  {
    name: 'four query heads a group',
    open: async () => randomLlama({ ...shape, queryHeads: 8, keyValueHeads: 2, tied: false, seed: 3 }),
  },
  { name: 'multi-query', open: async () => randomLlama({ ...shape, queryHeads: 4, keyValueHeads: 1, seed: 4 }) },
  {
    name: 'biases that compensation added',
    open: async () => randomLlama({ ...shape, queryHeads: 4, keyValueHeads: 2, biases: true, seed: 5 }),
  },
];

const range = (count: number) => Array.from({ length: count }, (_, index) => index);
const window = (vocabulary: number) => {
  const random = createRandom(7);
  return range(TOKENS).map(() => random.integer(vocabulary));
};

/** Any neurons, at least one of each expert: what the router does with an expert that goes is held against PyTorch (export/transformers-js-architectures.test.ts). */
const neuronsOfAll = (experts: readonly number[]) =>
  fc
    .tuple(...experts.map((neurons) => fc.subarray(range(neurons), { minLength: 1 })))
    .map((kept) => kept.flatMap((neurons, expert) => neurons.map((neuron) => expert * (experts[0] ?? 0) + neuron)));

/** Any plan that keeps at least one group of each kind in every layer. */
const plans = (open: OpenModel) =>
  fc.tuple(
    ...open.layerGroups().map(({ attention, convolution, mlp }, layer) => {
      const experts = open.config.layerWidths[layer]?.experts;
      return fc.record({
        attention: fc.subarray(range(attention.groups), { minLength: Math.min(1, attention.groups) }),
        ...(convolution && { convolution: fc.subarray(range(convolution.groups), { minLength: 1 }) }),
        mlp: experts ? neuronsOfAll(experts) : fc.subarray(range(mlp.groups), { minLength: 1 }),
      });
    }),
  );

/**
 * The dense model with the removed groups silenced: zeros in the columns of the output projections that read them. Where those are is worked out
 * here from the sizes alone (a key/value head's query heads are consecutive), not from discovery.
 */
async function masked(checkpoint: Checkpoint, open: OpenModel, plan: readonly LayerPlan[]): Promise<Checkpoint> {
  const replacements = new Map<string, Replacement>();
  for (const [layer, { attention, convolution = [], mlp }] of plan.entries()) {
    const groups = open.layerGroups()[layer];
    for (const [part, kept, count = 1] of [
      ['attention.output', attention, groups?.attention.groups],
      ['convolution.output', convolution, groups?.convolution?.groups],
      ['mlp.down', mlp, groups?.mlp.groups],
    ] as const) {
      const name = open.model.architecture.blockWeights(layer).find(({ input }) => input === part)?.tensor;
      if (name === undefined) continue;
      const dense = checkpoint.tensors.get(name)?.shape ?? [];
      const columns = dense[1] ?? 1;
      const width = columns / count;
      const data = await checkpoint.read(name);
      replacements.set(name, {
        shape: dense,
        data: data.map((value, index) => (kept.includes(Math.floor((index % columns) / width)) ? value : 0)),
      });
    }
  }
  return overlayCheckpoint(checkpoint, replacements);
}

async function logitsOf(model: OpenModel, tokens: readonly number[]): Promise<Float32Array> {
  return blockProgramLogits(model.programs, model.store)(tokens);
}

/** Every tensor of a checkpoint, for exact comparison. */
async function contents(checkpoint: Checkpoint): Promise<Map<string, unknown>> {
  const found = new Map<string, unknown>();
  for (const [name, { shape: size }] of checkpoint.tensors)
    found.set(name, { size, data: await checkpoint.read(name) });
  return found;
}

describe.each(models)('a sliced model: $name', ({ open: openCheckpoint }) => {
  let checkpoint: Checkpoint;
  let dense: OpenModel;
  beforeAll(async () => {
    checkpoint = await openCheckpoint();
    dense = new OpenModel(runtime, checkpoint);
  });
  afterAll(() => dense.dispose());

  it('computes what the dense one does with the removed groups masked', async () => {
    const tokens = window(dense.config.vocabulary);
    await fc.assert(
      fc.asyncProperty(plans(dense), async (plan) => {
        using sliced = dense.pruned(plan);
        using silenced = dense.withCheckpoint(await masked(checkpoint, dense, plan));
        expect(relativeDifference(await logitsOf(sliced, tokens), await logitsOf(silenced, tokens))).toBeLessThan(
          TOLERANCE,
        );
      }),
      { seed: 1, numRuns: 6 },
    );
  });

  it('sliced again, losing any one group, is the dense one sliced once', async () => {
    const choice = fc.record({
      plan: plans(dense),
      layer: fc.nat(),
      kind: fc.constantFrom('attention' as const, 'convolution' as const, 'mlp' as const),
      place: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(choice, async ({ plan, layer: anyLayer, kind, place }) => {
        const layer = anyLayer % plan.length;
        const kept = plan[layer]?.[kind] ?? [];
        const lost = kept.length > 1 ? place % kept.length : -1;
        using first = dense.pruned(plan);
        const everything = plan.map(({ attention, convolution, mlp }) => ({
          attention: range(attention.length),
          ...(convolution && { convolution: range(convolution.length) }),
          mlp: range(mlp.length),
        }));
        const second = everything.map((stays, index) =>
          index === layer && stays[kind] ? { ...stays, [kind]: stays[kind].filter((group) => group !== lost) } : stays,
        );
        const once = plan.map((stays, index) =>
          index === layer && stays[kind]
            ? { ...stays, [kind]: kept.filter((_, position) => position !== lost) }
            : stays,
        );
        using twice = first.pruned(second);
        using direct = dense.pruned(once);
        expect(await contents(twice.model.checkpoint)).toEqual(await contents(direct.model.checkpoint));
        expect(twice.model.checkpoint.config).toEqual(direct.model.checkpoint.config);
      }),
      { seed: 2, numRuns: 3 },
    );
  });
});

describe('slicing', () => {
  const checkpoint = randomLlama({ ...shape, layers: 3, queryHeads: 6, keyValueHeads: 3 });
  const whole = { attention: [0, 1, 2], mlp: [0, 1, 2, 3, 4, 5] };
  const sliced = (plan: readonly LayerPlan[], base = checkpoint) => {
    using open = new OpenModel(runtime, base);
    return slicedCheckpoint(base, plan, open.structuresOf);
  };

  it('gives the model that the definition of the architecture gives at these widths, a removed block included', async () => {
    const plan = [{ attention: [1], mlp: [0, 5] }, { attention: [], mlp: [] }, whole];
    const pruned = sliced(plan);
    const tokens = window(32);
    using open = new OpenModel(runtime, pruned);
    const expected = (await referenceLogits(pruned, tokens)).flatMap((row) => [...row]);
    expect(relativeDifference(await logitsOf(open, tokens), expected)).toBeLessThan(TOLERANCE);
    expect([...pruned.tensors.keys()].some((name) => name.startsWith('model.layers.1.'))).toBe(false);
    expect(pruned.config.espalier).toEqual({
      layers: [
        { keyValueHeads: 1, neurons: 2 },
        { keyValueHeads: 0, neurons: 0 },
        { keyValueHeads: 3, neurons: 6 },
      ],
    });
    expect(open.layerGroups().map(({ attention, mlp }) => [attention.groups, mlp.groups])).toEqual([
      [1, 2],
      [0, 0],
      [3, 6],
    ]);
  });

  it('removes the parameters that its plan says, and counts the bytes that are left', () => {
    const pruned = sliced([{ attention: [0, 2], mlp: [1] }, whole, whole]);
    const numbers = (model: Checkpoint) =>
      [...model.tensors.values()].reduce((sum, { shape: size }) => sum + size.reduce((a, b) => a * b, 1), 0);
    const perHead = 4 * 16 * (2 * 2 + 2);
    expect(numbers(checkpoint) - numbers(pruned)).toBe(perHead + 5 * 3 * 16);
    expect(pruned.byteLength).toBe(4 * numbers(pruned));
  });

  it('reads rows of a cut tensor as they are in the whole of it', async () => {
    const pruned = sliced([{ attention: [2], mlp: [1, 3, 4] }, whole, whole]);
    for (const name of [
      'model.layers.0.self_attn.q_proj.weight',
      'model.layers.0.self_attn.o_proj.weight',
      'model.layers.0.mlp.gate_proj.weight',
    ]) {
      const columns = pruned.tensors.get(name)?.shape[1] ?? 0;
      const all = await pruned.read(name);
      expect(await pruned.read(name, { start: 1, end: 3 }), name).toEqual(all.slice(columns, 3 * columns));
    }
  });

  it('refuses plans that do not fit, naming layer, group and domain', () => {
    const refused = (plan: readonly LayerPlan[], message: string) => {
      expect(() => sliced(plan)).toThrow(MismatchError);
      expect(() => sliced(plan)).toThrow(message);
    };
    refused([whole, whole], 'The plan has 2 layers and random-llama has 3');
    refused(
      [whole, { attention: [0, 3], mlp: [0] }, whole],
      'attention groups of layer 1 must be ascending numbers from 0 to 2; found 3 at position 1',
    );
    refused([whole, whole, { attention: [1, 0], mlp: [0] }], 'found 0 at position 1');
    refused([whole, whole, { attention: [1], mlp: [2, 2] }], 'mlp groups of layer 2');
    refused([{ attention: [1], mlp: [] }, whole, whole], 'keeps 1 attention groups and 0 neurons in layer 0');
    const without = sliced([{ attention: [], mlp: [] }, whole, whole]);
    expect(() => sliced([whole, whole, whole], without)).toThrow('layer 0 was removed');
  });
});

it('rows and whole blocks of columns leave weights on their grids, other columns do not', () => {
  const plain = randomLlama({
    layers: 1,
    hiddenSize: 64,
    headDimension: 32,
    queryHeads: 4,
    keyValueHeads: 2,
    neurons: 80,
  });
  const grids = { bits: 4, block: 32 };
  const checkpoint = {
    ...plain,
    tensors: new Map([...plain.tensors].map(([name, info]) => [name, { ...info, grids }])),
  };
  using open = new OpenModel(runtime, checkpoint);
  const keeping = (neurons: readonly number[]) => {
    const { tensors } = slicedCheckpoint(checkpoint, [{ attention: [1], mlp: neurons }], open.structuresOf);
    return [...tensors].filter(([, info]) => info.grids === undefined).map(([name]) => name);
  };
  // A head group is 64 columns of the output projection, in whole blocks.
  expect(keeping(range(32))).toEqual([]);
  expect(keeping(range(48).slice(16))).toEqual(['model.layers.0.mlp.down_proj.weight']);
  expect(keeping(range(40))).toEqual(['model.layers.0.mlp.down_proj.weight']);
});
