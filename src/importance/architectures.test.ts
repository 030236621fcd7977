import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LayerWidths } from '../architecture/architecture.ts';
import { ASSIGNMENT, isPrunable, mixerOf } from '../architecture/block-weights.ts';
import { forwardBlocks } from '../architecture/forward.ts';
import { modelOf } from '../architecture/model.ts';
import { Programs, traceBindings } from '../architecture/programs.ts';
import { FIXTURES, openFixture, relativeDifference } from '../architecture/testing/fixture.ts';
import { WeightStore } from '../architecture/weight-store.ts';
import { elementCount } from '../arrays.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { overlayCheckpoint, type Replacement } from '../checkpoint/overlay.ts';
import type { LayerPlan } from '../plan/plan.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { DeviceTensor, Runtime } from '../runtime/runtime.ts';
import { slicedCheckpoint } from '../surgery/slice.ts';
import { importance } from './importance.ts';
import { discover } from './structures/discovery.ts';
import { linearMembers } from './structures/linear-members.ts';
import type { CoupledStructure, Module } from './structures/structures.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

/** Discovery at the widths of the dense model. */
function structuresIn(checkpoint: Checkpoint): (layer: number) => readonly CoupledStructure[] {
  const { architecture } = modelOf(checkpoint);
  return (layer) => {
    const widths = architecture.config.layerWidths[layer] as LayerWidths;
    const bindings = traceBindings(architecture, widths);
    const inputs = architecture.blockWeights(layer).map(({ input }) => input);
    const weights = inputs.filter(isPrunable);
    return discover(architecture.block(architecture.kind(layer)), weights, bindings, [ASSIGNMENT]).structures;
  };
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
  structuresOf: (layer: number) => readonly CoupledStructure[],
): Promise<Checkpoint> {
  const replacements = new Map<string, Replacement>();
  for (const [layer, kept] of plan.entries()) {
    for (const { kind, members } of structuresOf(layer)) {
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
          data: data.map((value, index) => (kept[kind]?.includes(groupOfChannel[index % columns] ?? -1) ? value : 0)),
        });
      }
    }
  }
  return overlayCheckpoint(checkpoint, replacements);
}

test('discovery finds the channels of a convolution, with their rows in the gates and their taps', async () => {
  const { checkpoint } = await openFixture('lfm2-biases');
  const [channels, neurons] = structuresIn(checkpoint)(1);
  const { hiddenSize } = modelOf(checkpoint).architecture.config;
  expect([channels?.kind, channels?.groups, channels?.parametersPerGroup]).toEqual([
    'convolution',
    hiddenSize,
    // Rows of two gates and of the value, and a column of the output; their biases, the taps and their bias.
    4 * hiddenSize + 3 + 4 + 1,
  ]);
  expect(channels?.members.map(({ weight, axis }) => `${weight}[${axis}]`)).toEqual([
    'convolution.inputGate[0]',
    'convolution.inputGate.bias[0]',
    'convolution.outputGate[0]',
    'convolution.outputGate.bias[0]',
    'convolution.value[0]',
    'convolution.value.bias[0]',
    'convolution.kernel[0]',
    'convolution.kernel.bias[0]',
    'convolution.output[1]',
  ]);
  expect([neurons?.kind, neurons?.groups]).toEqual(['mlp', 24]);
});

describe.each(FIXTURES)('%s', (name) => {
  test('discovery finds key/value heads and neurons, and scoring their linear layers', async () => {
    const { checkpoint } = await openFixture(name);
    const { architecture } = modelOf(checkpoint);
    const { hiddenSize, headDimension, queryHeads, keyValueHeads, layerWidths, layers } = architecture.config;
    const attending = Array.from({ length: layers }, (_, layer) => layer).find(
      (layer) => mixerOf(architecture.kind(layer)) === 'attention',
    );
    const structures = structuresIn(checkpoint)(attending ?? 0);
    const inputs = new Set(architecture.blockWeights(attending ?? 0).map(({ input }) => input));
    expect(structures.map(({ kind, groups }) => [kind, groups])).toEqual([
      ['attention', inputs.has('attention.query.joint.norm') ? 1 : keyValueHeads],
      ['mlp', layerWidths[attending ?? 0]?.neurons],
    ]);
    const repeat = queryHeads / keyValueHeads;
    // What belongs to a head and is no matrix: biases, or its share of the norms over all heads, which hold them together.
    const joint = inputs.has('attention.query.joint.norm') ? headDimension * (repeat + 1) : 0;
    const attentionBiases = inputs.has('attention.query.bias') ? headDimension * (repeat + 2) : 0;
    const sinks = inputs.has('attention.sinks') ? repeat : 0;
    const gated = inputs.has('attention.gate') ? repeat : 0;
    const perHead = headDimension * hiddenSize * (2 * repeat + 2 + gated) + attentionBiases + joint + sinks;
    const linear = ['mlp.gate', 'mlp.up', 'mlp.down'].filter((weight) => inputs.has(weight));
    const mlpBiases = ['mlp.gate.bias', 'mlp.up.bias'].filter((weight) => inputs.has(weight));
    expect(structures.map(({ parametersPerGroup }) => parametersPerGroup)).toEqual([
      joint > 0 ? keyValueHeads * perHead : perHead,
      linear.length * hiddenSize + mlpBiases.length,
    ]);
    const members = linearMembers(architecture.block(architecture.kind(attending ?? 0)), structures);
    expect(members.map(({ weight, axis }) => [weight, axis])).toEqual([
      ['attention.query', 0],
      ['attention.key', 0],
      ['attention.value', 0],
      ...(gated > 0 ? [['attention.gate', 0]] : []),
      ['attention.output', 1],
      ...linear.map((weight) => [weight, weight === 'mlp.down' ? 1 : 0]),
    ]);
    for (const { weight, bias } of members)
      expect(bias).toBe(inputs.has(`${weight}.bias`) && !/output|down/.test(weight) ? `${weight}.bias` : undefined);
  });

  test('a pruned model computes what the dense one does without the removed groups', async () => {
    const { checkpoint, windows } = await openFixture(name);
    const structuresOf = structuresIn(checkpoint);
    const { layers } = modelOf(checkpoint).architecture.config;
    // Each layer keeps other groups.
    const plan = Array.from({ length: layers }, (_, layer): LayerPlan => {
      const kept = (module: Module, keeps: (group: number) => boolean) => {
        const groups = structuresOf(layer).find(({ kind }) => kind === module)?.groups ?? 0;
        return Array.from({ length: groups }, (_, group) => group).filter((group) => groups === 1 || keeps(group));
      };
      const convolution = kept('convolution', (channel) => (channel + layer) % 3 !== 1);
      return {
        attention: kept('attention', (head) => head % 2 === layer % 2),
        ...(convolution.length > 0 && { convolution }),
        mlp: kept('mlp', (neuron) => (neuron + layer) % 3 !== 0),
      };
    });
    const pruned = slicedCheckpoint(checkpoint, plan, structuresOf);
    expect(pruned.byteLength).toBeLessThan(checkpoint.byteLength);
    const found = await statesAfterBlocks(pruned, windows);
    const expected = await statesAfterBlocks(await cleared(checkpoint, plan, structuresOf), windows);
    expect(relativeDifference(found, expected)).toBeLessThan(1e-5);
    const dense = await statesAfterBlocks(checkpoint, windows);
    expect(relativeDifference(found, dense)).toBeGreaterThan(1e-2);
  });

  test('vector and element scores are those of PyTorch weight gradients', async () => {
    const { checkpoint, windows, expected } = await openFixture(name);
    const model = modelOf(checkpoint);
    const structuresOf = structuresIn(checkpoint);
    using programs = new Programs(runtime, model.architecture);
    using store = new WeightStore(runtime, model);
    const { layers } = await importance(programs, store, windows, { structuresOf });
    for (const { kind, groups, members } of structuresOf(1)) {
      const vector = new Float64Array(groups);
      const elementFirst = new Float64Array(groups);
      for (const { weight, axis, groupOfChannel } of members) {
        const binding = model.architecture.blockWeights(1).find(({ input }) => input === weight);
        if (!binding) throw new Error(`no weight ${weight}`);
        const [values, gradient] = await Promise.all([
          checkpoint.read(binding.tensor, binding.rows),
          expected.read(binding.tensor, binding.rows),
        ]);
        const columns = elementCount(binding.shape.slice(1));
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
      // All heads as one group: norms make the sum of their terms zero but for rounding.
      const scale = groups === 1 ? Math.max(...elementFirst) / Math.max(...vector) : 1;
      expect(relativeDifference(scores?.vector ?? [], vector), `${kind} vector`).toBeLessThan(2e-5 * scale);
      expect(relativeDifference(scores?.['element-first'] ?? [], elementFirst), `${kind} element-first`).toBeLessThan(
        2e-5,
      );
    }
  });
});
