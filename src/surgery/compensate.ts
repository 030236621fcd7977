import type { WeightBinding } from '../architecture/architecture.ts';
import { ASSIGNMENT, ROUTER } from '../architecture/block-weights.ts';
import { architectureFor } from '../architecture/index.ts';
import { type Programs, programName, singleOutput } from '../architecture/programs.ts';
import type { WeightStore } from '../architecture/weight-store.ts';
import { type HostWeights, readWeights, uploadWeights } from '../architecture/weights.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { overlayCheckpoint, type Replacement } from '../checkpoint/overlay.ts';
import { MismatchError, throwIfCancelled } from '../errors.ts';
import { type LinearMember, linearMembers } from '../importance/structures/linear-members.ts';
import type { CoupledStructure } from '../importance/structures/structures.ts';
import type { Graph } from '../onnx/graph.ts';
import { extract } from '../passes/extract.ts';
import { type LayerPlan, removesLayer } from '../plan/plan.ts';
import type { LongRunning } from '../progress.ts';
import type { DeviceTensor } from '../runtime/runtime.ts';
import { biasCompensation } from './bias.ts';
import { channelStatistics } from './channel-statistics.ts';
import { layerByLayer } from './layer-by-layer.ts';
import { reconstruct } from './least-squares.ts';
import { regressionRepair } from './regression.ts';
import { keptChannels, slicedCheckpoint, sliceTensor } from './slice.ts';

/** What is added to a pruned projection: FLAP's bias, its columns solved anew, or SlimLLM's line for each output. */
export type Compensation = 'bias' | 'least-squares' | 'regression';

export interface CompensateOptions extends LongRunning {
  readonly compensation: Compensation;
  /** Ridge of the least-squares reconstruction relative to the mean diagonal. Default 1e-3 (docs/method.md section 5). */
  readonly lambda?: number;
  readonly structuresOf: (layer: number) => readonly CoupledStructure[];
}

/**
 * Slices a model by plan and repairs its output projections without training (docs/method.md section 5), layer by layer: the statistics of a
 * projection's inputs are those of the already pruned and compensated model, and the target is what the unpruned projection gives on them.
 * Returns the pruned checkpoint with the repaired tensors in place.
 */
export async function compensate(
  programs: Programs,
  store: WeightStore,
  plan: readonly LayerPlan[],
  windows: readonly ArrayLike<number>[],
  options: CompensateOptions,
): Promise<Checkpoint> {
  const { checkpoint, architecture } = store.model;
  const sliced = slicedCheckpoint(checkpoint, plan, options.structuresOf);
  const slicedArchitecture = architectureFor(sliced);
  const replacements = new Map<string, Replacement>();
  await layerByLayer(
    programs,
    store,
    windows,
    async (layer, states) => {
      const kept = plan[layer];
      if (!kept || removesLayer(kept)) return undefined;
      const bindings = architecture.blockWeights(layer);
      const dense = await readWeights(checkpoint, bindings);
      const weights = await repairLayer(programs, layer, dense, states, kept, options);
      recordRepairs(replacements, bindings, weights);
      const routers = slicedArchitecture
        .blockWeights(layer)
        .filter(({ input }) => ROUTER.includes(input) || input === ASSIGNMENT);
      return { ...weights.tensors, ...(await readWeights(sliced, routers)) };
    },
    { ...options, stage: 'compensation' },
  );
  return overlayCheckpoint(sliced, replacements);
}

interface RepairedLayer {
  readonly tensors: HostWeights;
  /** Inputs whose tensor is no longer a slice of the checkpoint's. */
  readonly repaired: ReadonlySet<string>;
}

/** Prunes the structures of a layer in the order in which the block computes them, repairing each one's output projection. */
async function repairLayer(
  programs: Programs,
  layer: number,
  dense: HostWeights,
  states: readonly DeviceTensor[],
  plan: LayerPlan,
  options: CompensateOptions,
): Promise<RepairedLayer> {
  const structures = options.structuresOf(layer);
  const block = programs.architecture.block(programs.architecture.kind(layer));
  const members = linearMembers(block, structures);
  const position = (member: LinearMember) => block.nodes.findIndex((node) => node.outputs.includes(member.output));
  const projections = members.filter((member) => member.axis === 1).sort((a, b) => position(a) - position(b));
  let tensors = dense;
  const repaired = new Set<string>();
  for (const projection of projections) {
    const structure = structures.find((candidate) =>
      candidate.members.some(({ weight }) => weight === projection.weight),
    );
    if (!structure) throw new MismatchError(`No structure owns the projection ${projection.weight}.`);
    const keptGroups = plan[structure.kind] ?? [];
    const slices: Record<string, HostWeights[string]> = {};
    for (const member of structure.members) {
      const tensor = tensors[member.weight];
      if (tensor) slices[member.weight] = sliceTensor(tensor, member.axis, keptChannels(member, keptGroups));
    }
    if (keptGroups.length < structure.groups) {
      const member = structure.members.find(({ weight }) => weight === projection.weight);
      const weight = tensors[projection.weight];
      if (!member || !weight) throw new MismatchError(`The layer has no weight ${projection.weight}.`);
      const statistics = await channelStatistics(
        programs,
        inputsOf(programs, layer, projection, tensors, states, options),
        options.compensation !== 'bias',
      );
      const channels = keptChannels(member, keptGroups);
      const [outputs = 0, inputs = 0] = weight.shape;
      const addBias = (shift: Float32Array) => {
        const name = biasOf(block, projection);
        const before = tensors[name]?.data as Float32Array | undefined;
        slices[name] = {
          dataType: 'float32',
          shape: [outputs],
          data: Float32Array.from(shift, (value, row) => value + (before?.[row] ?? 0)),
        };
        repaired.add(name);
      };
      const replace = (data: Float32Array) => {
        slices[projection.weight] = { dataType: 'float32', shape: [outputs, channels.length], data };
        repaired.add(projection.weight);
      };
      if (options.compensation === 'bias') {
        const mean = statistics.sum.map((value) => value / statistics.rows);
        addBias(biasCompensation(weight.data as Float32Array, outputs, inputs, mean, channels));
      } else if (options.compensation === 'regression') {
        const line = regressionRepair(weight.data as Float32Array, outputs, inputs, statistics, channels);
        replace(line.weight);
        addBias(line.shift);
      } else if (statistics.product) {
        const whole = weight.data as Float32Array;
        replace(reconstruct(statistics.product, whole, outputs, inputs, channels, options.lambda ?? 1e-3));
      }
    }
    tensors = { ...tensors, ...slices };
  }
  return { tensors, repaired };
}

/** The activations [rows, channels] that enter a linear layer, batch by batch, under the given weights of the layer. */
export function inputsOf(
  programs: Programs,
  layer: number,
  projection: Pick<LinearMember, 'input'>,
  tensors: HostWeights,
  states: readonly DeviceTensor[],
  options: LongRunning,
): AsyncGenerator<DeviceTensor> {
  return valuesOf(programs, layer, projection.input, tensors, states, options);
}

/** A value [rows, channels] within a block, batch by batch, under the given weights of the layer. Each is the caller's to dispose. */
export async function* valuesOf(
  programs: Programs,
  layer: number,
  name: string,
  tensors: HostWeights,
  states: readonly DeviceTensor[],
  options: LongRunning,
): AsyncGenerator<DeviceTensor> {
  const value = { name, dataType: 'float32' as const, shape: ['rows', 'channels'] };
  const kind = programs.architecture.kind(layer);
  const program = programName(`value ${name}`, kind);
  const session = await programs.session(program, () => extract(programs.architecture.block(kind), [value], program));
  using weights = uploadWeights(programs.runtime, tensors);
  for (const hidden of states) {
    throwIfCancelled(options.signal);
    const shared = programs.shared(hidden.shape[1] ?? 0, layer);
    const feeds: Record<string, DeviceTensor> = { ...weights.tensors, hidden, ...shared };
    const needed = Object.fromEntries(
      session.inputNames.flatMap((input) => (feeds[input] ? [[input, feeds[input]]] : [])),
    );
    yield singleOutput(await session.run(needed), name);
  }
}

/** The graph input that carries the bias of a projection. */
function biasOf(block: Graph, projection: LinearMember): string {
  const node = block.nodes.find((candidate) => candidate.outputs.includes(projection.output));
  const bias = node?.inputs[2];
  if (!bias) throw new MismatchError(`The projection ${projection.weight} has no bias input to compensate with.`);
  return bias;
}

function recordRepairs(
  replacements: Map<string, Replacement>,
  bindings: readonly WeightBinding[],
  { tensors, repaired }: RepairedLayer,
): void {
  for (const { input, tensor } of bindings) {
    const weight = tensors[input];
    if (weight && repaired.has(input))
      replacements.set(tensor, { shape: weight.shape, data: weight.data as Float32Array });
  }
}
