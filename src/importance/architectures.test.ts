import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { forwardBlocks } from '../architecture/forward.ts';
import { modelOf } from '../architecture/model.ts';
import { exampleBindings, Programs } from '../architecture/programs.ts';
import { FIXTURES, openFixture, relativeDifference } from '../architecture/testing/fixture.ts';
import { WeightStore } from '../architecture/weight-store.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { overlayCheckpoint, type Replacement } from '../checkpoint/overlay.ts';
import type { LayerPlan } from '../plan/plan.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { DeviceTensor, Runtime } from '../runtime/runtime.ts';
import { slicedCheckpoint } from '../surgery/slice.ts';
import { importance } from './importance.ts';
import { discover } from './structures/discovery.ts';
import { linearMembers } from './structures/linear-members.ts';
import type { CoupledStructure } from './structures/structures.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

/** Discovery at the widths of the dense model. */
function structuresOf(checkpoint: Checkpoint): readonly CoupledStructure[] {
  const { architecture } = modelOf(checkpoint);
  const { queryHeads, keyValueHeads, headDimension, neurons } = architecture.config;
  const bindings = {
    ...exampleBindings(architecture),
    neurons,
    keyChannels: keyValueHeads * headDimension,
    queryChannels: queryHeads * headDimension,
  };
  const weights = architecture.blockWeights(0).map(({ input }) => input);
  return discover(architecture.block(), weights, bindings).structures;
}

async function statesAfterBlocks(
  checkpoint: Checkpoint,
  windows: readonly (readonly number[])[],
): Promise<Float32Array> {
  const model = modelOf(checkpoint);
  using programs = new Programs(runtime, model.architecture);
  using store = new WeightStore(runtime, model);
  const [last] = await forwardBlocks(programs, store, [windows]);
  using states = last as DeviceTensor;
  return (await runtime.read(states)).data as Float32Array;
}

/** The dense model with the columns of the removed groups set to zero in every output projection. */
async function cleared(
  checkpoint: Checkpoint,
  plan: readonly LayerPlan[],
  structures: readonly CoupledStructure[],
): Promise<Checkpoint> {
  const replacements = new Map<string, Replacement>();
  for (const [layer, kept] of plan.entries()) {
    for (const { kind, members } of structures) {
      for (const { weight, axis, groupOfChannel } of members) {
        if (axis !== 1) continue;
        const binding = modelOf(checkpoint)
          .architecture.blockWeights(layer)
          .find(({ input }) => input === weight);
        if (!binding) continue;
        const data = await checkpoint.read(binding.tensor);
        const columns = binding.shape[1] ?? 1;
        replacements.set(binding.tensor, {
          shape: binding.shape,
          data: data.map((value, index) => (kept[kind].includes(groupOfChannel[index % columns] ?? -1) ? value : 0)),
        });
      }
    }
  }
  return overlayCheckpoint(checkpoint, replacements);
}

describe.each(FIXTURES)('%s', (name) => {
  test('discovery finds key/value heads and neurons, and scoring their linear layers', async () => {
    const { checkpoint } = await openFixture(name);
    const { architecture } = modelOf(checkpoint);
    const { hiddenSize, headDimension, queryHeads, keyValueHeads, neurons } = architecture.config;
    const structures = structuresOf(checkpoint);
    expect(structures.map(({ kind, groups }) => [kind, groups])).toEqual([
      ['attention', keyValueHeads],
      ['mlp', neurons],
    ]);
    const repeat = queryHeads / keyValueHeads;
    const inputs = new Set(architecture.blockWeights(0).map(({ input }) => input));
    const attentionBiases = inputs.has('attention.query.bias') ? headDimension * (repeat + 2) : 0;
    const mlpBiases = inputs.has('mlp.gate.bias') ? 2 : 0;
    expect(structures.map(({ parametersPerGroup }) => parametersPerGroup)).toEqual([
      headDimension * hiddenSize * (2 * repeat + 2) + attentionBiases,
      3 * hiddenSize + mlpBiases,
    ]);
    const members = linearMembers(architecture.block(), structures);
    expect(members.map(({ weight, axis }) => [weight, axis])).toEqual([
      ['attention.query', 0],
      ['attention.key', 0],
      ['attention.value', 0],
      ['attention.output', 1],
      ['mlp.gate', 0],
      ['mlp.up', 0],
      ['mlp.down', 1],
    ]);
    for (const { weight, bias } of members)
      expect(bias).toBe(inputs.has(`${weight}.bias`) && !/output|down/.test(weight) ? `${weight}.bias` : undefined);
  });

  test('a pruned model computes what the dense one does without the removed groups', async () => {
    const { checkpoint, windows } = await openFixture(name);
    const structures = structuresOf(checkpoint);
    const { layers } = modelOf(checkpoint).architecture.config;
    // Each layer keeps other groups.
    const plan = Array.from({ length: layers }, (_, layer) => ({
      attention: [structures[0] as CoupledStructure]
        .flatMap(({ groups }) => Array.from({ length: groups }, (_, group) => group))
        .filter((group) => group % 2 === layer % 2),
      mlp: Array.from({ length: 24 }, (_, neuron) => neuron).filter((neuron) => (neuron + layer) % 3 !== 0),
    }));
    const pruned = slicedCheckpoint(checkpoint, plan, () => structures);
    expect(pruned.byteLength).toBeLessThan(checkpoint.byteLength);
    const found = await statesAfterBlocks(pruned, windows);
    const expected = await statesAfterBlocks(await cleared(checkpoint, plan, structures), windows);
    expect(relativeDifference(found, expected)).toBeLessThan(1e-5);
    const dense = await statesAfterBlocks(checkpoint, windows);
    expect(relativeDifference(found, dense)).toBeGreaterThan(1e-2);
  });

  test('vector and element scores are those of PyTorch weight gradients', async () => {
    const { checkpoint, windows, expected } = await openFixture(name);
    const model = modelOf(checkpoint);
    const structures = structuresOf(checkpoint);
    using programs = new Programs(runtime, model.architecture);
    using store = new WeightStore(runtime, model);
    const { layers } = await importance(programs, store, windows, { structuresOf: () => structures });
    for (const { kind, groups, members } of structures) {
      const vector = new Float64Array(groups);
      const elementFirst = new Float64Array(groups);
      for (const { weight, axis, groupOfChannel } of members) {
        const binding = model.architecture.blockWeights(1).find(({ input }) => input === weight);
        if (!binding) throw new Error(`no weight ${weight}`);
        const [values, gradient] = await Promise.all([
          checkpoint.read(binding.tensor, binding.rows),
          expected.read(binding.tensor, binding.rows),
        ]);
        const columns = binding.shape[1] ?? 1;
        const signed = new Float64Array(groups);
        values.forEach((value, index) => {
          const group = groupOfChannel[axis === 0 ? Math.floor(index / columns) : index % columns] ?? 0;
          const product = value * (gradient[index] ?? 0);
          signed[group] = (signed[group] ?? 0) + product;
          elementFirst[group] = (elementFirst[group] ?? 0) + Math.abs(product);
        });
        signed.forEach((value, group) => {
          vector[group] = (vector[group] ?? 0) + Math.abs(value);
        });
      }
      const scores = layers[1]?.[kind];
      expect(relativeDifference(scores?.vector ?? [], vector), `${kind} vector`).toBeLessThan(2e-5);
      expect(relativeDifference(scores?.['element-first'] ?? [], elementFirst), `${kind} element-first`).toBeLessThan(
        2e-5,
      );
    }
  });
});
