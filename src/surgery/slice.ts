import type { Architecture } from '../architecture/architecture.ts';
import { ROUTER } from '../architecture/block-weights.ts';
import { expertOfNeurons } from '../architecture/experts.ts';
import { architectureFor } from '../architecture/index.ts';
import { elementCount } from '../arrays.ts';
import type { Checkpoint, TensorInfo } from '../checkpoint/checkpoint.ts';
import { MismatchError, MissingError } from '../errors.ts';
import type { CoupledStructure, MemberSlice } from '../importance/structures/structures.ts';
import { keptMixing, type LayerPlan, removesLayer } from '../plan/plan.ts';
import type { HostTensor } from '../runtime/runtime.ts';

/** Which channels of which axes of one tensor stay. */
interface TensorCut {
  readonly shape: readonly number[];
  /** Kept indices per cut axis, ascending. */
  readonly axes: ReadonlyMap<number, Int32Array>;
}

/**
 * A view of a checkpoint with only the planned groups (docs/method.md section 1): q rows, k and v rows and o columns of the kept key/value heads,
 * gate and up rows and down columns of the kept neurons. Nothing is copied until a tensor is read. `structuresOf(layer)` is discovery's result.
 * The config carries the widths under `espalier.layers`; a layer that keeps nothing is removed as a whole.
 * Throws MismatchError when the plan does not fit the model.
 */
export function slicedCheckpoint(
  checkpoint: Checkpoint,
  plan: readonly LayerPlan[],
  structuresOf: (layer: number) => readonly CoupledStructure[],
): Checkpoint {
  const architecture = architectureFor(checkpoint);
  if (plan.length !== architecture.config.layers) {
    throw new MismatchError(
      `The plan has ${plan.length} layers and ${checkpoint.provenance.name} has ${architecture.config.layers}; make the plan from this model's scores.`,
    );
  }
  const cuts = new Map<string, TensorCut>();
  const expertsOf = (layer: number, { mlp }: LayerPlan) => {
    const experts = architecture.config.layerWidths[layer]?.experts;
    return experts && keptOfExperts(experts, mlp);
  };
  const removed = new Set<string>();
  plan.forEach((layerPlan, layer) => {
    const bindings = architecture.blockWeights(layer);
    checkLayerPlan(layerPlan, layer, structuresOf(layer));
    if (removesLayer(layerPlan)) for (const { tensor } of bindings) removed.add(tensor);
    else {
      cutLayer(checkpoint, bindings, layerPlan, structuresOf(layer), cuts);
      cutRouter(checkpoint, bindings, expertsOf(layer, layerPlan), cuts);
    }
  });
  const tensors = new Map<string, TensorInfo>();
  for (const [name, info] of checkpoint.tensors) {
    const cut = cuts.get(name);
    if (!removed.has(name)) tensors.set(name, cut ? cutInfo(info, cut) : info);
  }
  return {
    provenance: checkpoint.provenance,
    config: {
      ...checkpoint.config,
      espalier: {
        layers: plan.map((kept, layer) => {
          const experts = expertsOf(layer, kept)?.filter((neurons) => neurons > 0);
          return {
            keyValueHeads: kept.attention.length * headsPerGroup(architecture, layer, structuresOf(layer)),
            neurons: kept.mlp.length,
            ...(kept.convolution && { channels: kept.convolution.length }),
            ...(experts && { experts }),
          };
        }),
      },
    },
    tensors,
    byteLength: [...tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0),
    file: (name) => checkpoint.file(name),
    sha256: () => checkpoint.sha256(),
    async read(name, rows) {
      const info = tensors.get(name);
      if (!info) throw new MissingError(`${checkpoint.provenance.name} has no tensor ${name} after pruning.`);
      const cut = cuts.get(name);
      if (!cut) return checkpoint.read(name, rows);
      const source = checkpoint.tensors.get(name);
      const data = gather(await checkpoint.read(name), source?.shape ?? cut.shape, cut);
      const columns = data.length / (cut.shape[0] ?? 1);
      return rows ? data.slice(rows.start * columns, rows.end * columns) : data;
    },
  };
}

/** One, but where all heads are one group. */
function headsPerGroup({ config }: Architecture, layer: number, structures: readonly CoupledStructure[]): number {
  const groups = structures.find(({ kind }) => kind === 'attention')?.groups;
  return groups === undefined ? 1 : (config.layerWidths[layer]?.keyValueHeads ?? groups) / groups;
}

function checkLayerPlan(plan: LayerPlan, layer: number, structures: readonly CoupledStructure[]): void {
  if (structures.length === 0 && !removesLayer(plan)) {
    throw new MismatchError(
      `The plan keeps groups of layer ${layer}, but layer ${layer} was removed from this model; make the plan from its scores.`,
    );
  }
  for (const { kind, groups } of structures) {
    const kept = plan[kind] ?? [];
    kept.forEach((group, position) => {
      if (!Number.isInteger(group) || group < 0 || group >= groups || group <= (kept[position - 1] ?? -1)) {
        throw new MismatchError(
          `The plan's ${kind} groups of layer ${layer} must be ascending numbers from 0 to ${groups - 1}; found ${group} at position ${position}.`,
        );
      }
    });
  }
  const mixing = plan.convolution ? 'channels of the convolution' : 'attention groups';
  // What has no groups, such as a recurrence, stays as long as the layer does.
  if (structures.every(({ kind }) => kind === 'mlp')) return;
  if ((keptMixing(plan) === 0) !== (plan.mlp.length === 0)) {
    throw new MismatchError(
      `The plan keeps ${keptMixing(plan)} ${mixing} and ${plan.mlp.length} neurons in layer ${layer}; keep at least one of each, or none of both to remove the layer.`,
    );
  }
}

function cutLayer(
  checkpoint: Checkpoint,
  bindings: ReturnType<Architecture['blockWeights']>,
  plan: LayerPlan,
  structures: readonly CoupledStructure[],
  cuts: Map<string, TensorCut>,
): void {
  for (const { kind, members } of structures) {
    for (const member of members) {
      const binding = bindings.find(({ input }) => input === member.weight);
      if (!binding || (binding.optional && !checkpoint.tensors.has(binding.tensor))) continue;
      const info = checkpoint.tensors.get(binding.tensor);
      if (!info)
        throw new MissingError(`${checkpoint.provenance.name} has no tensor ${binding.tensor}, which the plan cuts.`);
      const offset = member.axis === 0 ? (binding.rows?.start ?? 0) : 0;
      const channels = keptChannels(member, plan[kind] ?? []).map((channel) => channel + offset);
      addCut(cuts, binding, info, member.axis, channels);
    }
  }
}

/** Neurons that each expert keeps of those that it has, in the order of the layer's neurons. */
function keptOfExperts(experts: readonly number[], neurons: readonly number[]): number[] {
  const owners = expertOfNeurons(experts);
  const kept = experts.map(() => 0);
  for (const neuron of neurons) {
    const expert = owners[neuron] ?? 0;
    kept[expert] = (kept[expert] ?? 0) + 1;
  }
  return kept;
}

/** An expert without neurons leaves the router too: tokens go to others in its place. */
function cutRouter(
  checkpoint: Checkpoint,
  bindings: ReturnType<Architecture['blockWeights']>,
  experts: readonly number[] | undefined,
  cuts: Map<string, TensorCut>,
): void {
  if (!experts?.includes(0)) return;
  const rows = Int32Array.from(experts.keys()).filter((expert) => experts[expert] !== 0);
  for (const binding of bindings) {
    const info = ROUTER.includes(binding.input) ? checkpoint.tensors.get(binding.tensor) : undefined;
    if (info) addCut(cuts, binding, info, 0, rows);
  }
}

function addCut(
  cuts: Map<string, TensorCut>,
  { tensor, rows }: { readonly tensor: string; readonly rows?: { readonly start: number; readonly end: number } },
  info: TensorInfo,
  axis: number,
  channels: Int32Array,
): void {
  const known = cuts.get(tensor);
  const axes = new Map(known?.axes);
  const earlier = axes.get(axis);
  if (rows && axis === 0) {
    // Several inputs share this tensor: keep what other inputs decided about their own rows.
    const outside = earlier ?? Int32Array.from({ length: info.shape[0] ?? 0 }, (_, row) => row);
    const others = outside.filter((row) => row < rows.start || row >= rows.end);
    axes.set(axis, Int32Array.from([...others, ...channels]).sort());
  } else {
    axes.set(axis, earlier ? earlier.filter((channel) => channels.includes(channel)) : channels);
  }
  cuts.set(tensor, { axes, shape: info.shape.map((size, index) => axes.get(index)?.length ?? size) });
}

/** Channels of a member's axis that stay when `groups` stay, ascending; channels outside the structure always do. */
export function keptChannels({ groupOfChannel }: MemberSlice, groups: readonly number[]): Int32Array {
  const kept = new Set(groups);
  return Int32Array.from(groupOfChannel.keys()).filter((channel) => {
    const group = groupOfChannel[channel] ?? -1;
    return group < 0 || kept.has(group);
  });
}

/** The given channels of one axis of a tensor [rows, columns] or [rows], or of the first of more axes. */
export function sliceTensor(tensor: HostTensor, axis: number, channels: Int32Array): HostTensor {
  const shape = tensor.shape.map((size, index) => (index === axis ? channels.length : size));
  return {
    dataType: tensor.dataType,
    shape,
    data: gather(tensor.data as Float32Array, tensor.shape, { shape, axes: new Map([[axis, channels]]) }),
  };
}

/** Copies the kept rows and columns of a [rows, columns], [rows] or [rows, ...] tensor; of the last kind rows only. */
function gather(data: Float32Array, shape: readonly number[], cut: TensorCut): Float32Array {
  const columns = elementCount(shape.slice(1));
  const keptRows = cut.axes.get(0);
  const keptColumns = cut.axes.get(1);
  const rowCount = keptRows?.length ?? shape[0] ?? 0;
  const columnCount = keptColumns?.length ?? columns;
  const result = new Float32Array(rowCount * columnCount);
  for (let row = 0; row < rowCount; row++) {
    const source = (keptRows ? (keptRows[row] as number) : row) * columns;
    if (!keptColumns) result.set(data.subarray(source, source + columns), row * columnCount);
    else
      for (let column = 0; column < columnCount; column++)
        result[row * columnCount + column] = data[source + (keptColumns[column] as number)] as number;
  }
  return result;
}

function cutInfo({ grids, ...info }: TensorInfo, cut: TensorCut): TensorInfo {
  const columns = cut.axes.get(1);
  const keepsGrids = grids !== undefined && (columns === undefined || areWholeBlocks(columns, grids.block));
  return { ...info, ...(keepsGrids && { grids }), shape: cut.shape, byteLength: scaleBytes(info, cut.shape) };
}

/** Whether every run of `block` kept columns was one before. */
function areWholeBlocks(columns: Int32Array, block: number): boolean {
  return columns.every((column, index) => column % block === index % block) && columns.length % block === 0;
}

function scaleBytes(info: TensorInfo, shape: readonly number[]): number {
  return Math.round((info.byteLength * elementCount(shape)) / elementCount(info.shape));
}
