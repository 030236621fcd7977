import { windowsPerRun } from '../architecture/batches.ts';
import { ASSIGNMENT, EXACT, isPrunable } from '../architecture/block-weights.ts';
import type { Programs } from '../architecture/programs.ts';
import type { WeightStore } from '../architecture/weight-store.ts';
import { type HostWeights, readWeights } from '../architecture/weights.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { QUANTISATION_BLOCK } from '../decoder/dtypes.ts';
import { hasGrids } from '../decoder/group-blocks.ts';
import { quantiseBlocks } from '../decoder/quantise.ts';
import { QuantisedMatrices } from '../decoder/quantised-matrices.ts';
import { sensitiveTensors } from '../decoder/sensitive.ts';
import { throwIfCancelled } from '../errors.ts';
import { type LinearMember, linearLayer, linearMembers } from '../importance/structures/linear-members.ts';
import type { CoupledStructure } from '../importance/structures/structures.ts';
import type { LongRunning } from '../progress.ts';
import type { DeviceTensor, HostTensor } from '../runtime/runtime.ts';
import { channelStatistics } from './channel-statistics.ts';
import { inputsOf } from './compensate.ts';
import { gptqRound, weightedRound } from './gptq.ts';
import { layerByLayer } from './layer-by-layer.ts';
import { type ProductSums, splitShrinkage } from './split-shrinkage.ts';

/** How matrices are rounded to 4 bits: by GPTQ, or to the nearest on grids that are chosen by the mean squares of the inputs. */
type CalibratedRounding = 'gptq' | 'weighted';

export interface RoundingOptions extends LongRunning {
  /** Default 'gptq'. */
  readonly how?: CalibratedRounding | undefined;
  readonly structuresOf: (layer: number) => readonly CoupledStructure[];
}

type LinearLayer = Omit<LinearMember, 'axis'>;

/**
 * The model with the matrices of its blocks rounded to 4 bits, layer by layer: each matrix sees the inputs that the already rounded model gives it.
 * The weights are held in blocks, and read as float32 on the grids of these, which the export in q4 keeps as they are. Embedding and output matrix stay, and so do matrices that q4 stores in 8 bits or that lie on such grids already.
 */
export async function calibratedRounding(
  programs: Programs,
  store: WeightStore,
  windows: readonly ArrayLike<number>[],
  options: RoundingOptions,
): Promise<Checkpoint> {
  const { checkpoint, architecture } = store.model;
  const inEightBits = sensitiveTensors(store.model, 'q4');
  const matrices = new QuantisedMatrices(Number.POSITIVE_INFINITY);
  // Two batches at least, of which each half tells the noise of the other.
  const perBatch = Math.min(Math.max(1, Math.ceil(windows.length / 2)), windowsPerRun(windows[0]?.length ?? 1));
  await layerByLayer(
    programs,
    store,
    windows,
    async (layer, states) => {
      const bindings = architecture.blockWeights(layer);
      const kept = new Set(
        bindings
          .filter(({ tensor }) => hasGrids(checkpoint, tensor, 4) || inEightBits.has(tensor))
          .map(({ input }) => input),
      );
      const weights = await roundLayer(programs, layer, await readWeights(checkpoint, bindings), kept, states, options);
      for (const binding of bindings) {
        const tensor = weights.tensors[binding.input];
        if (tensor && weights.rounded.has(binding.input))
          matrices.add(
            [binding],
            4,
            quantiseBlocks(tensor.data as Float32Array, tensor.shape[1] ?? 1, 4, QUANTISATION_BLOCK),
          );
      }
      return weights.tensors;
    },
    { ...options, stage: 'rounding', perBatch },
  );
  return roundedView(checkpoint, matrices);
}

interface RoundedLayer {
  readonly tensors: HostWeights;
  /** Inputs of the block that are rounded. */
  readonly rounded: ReadonlySet<string>;
}

/** Rounds the linear layers of a block in the order in which it computes them; those that read the same activations together. */
async function roundLayer(
  programs: Programs,
  layer: number,
  dense: HostWeights,
  kept: ReadonlySet<string>,
  states: readonly DeviceTensor[],
  options: RoundingOptions,
): Promise<RoundedLayer> {
  const block = programs.architecture.block(programs.architecture.kind(layer));
  const position = ({ output }: LinearLayer) => block.nodes.findIndex((node) => node.outputs.includes(output));
  // Matrices of a recurrence belong to no groups; those that stay exact are not rounded at all.
  const staying = block.inputs.filter(
    ({ name, shape }) =>
      shape.length === 2 && dense[name] && name !== ASSIGNMENT && !isPrunable(name) && !EXACT.includes(name),
  );
  const members = [
    ...linearMembers(block, options.structuresOf(layer)),
    ...staying.map((weight) => linearLayer(block, weight)),
  ].sort((a, b) => position(a) - position(b));
  const byInput = new Map<string, LinearLayer[]>();
  for (const member of members)
    if (!kept.has(member.weight)) byInput.set(member.input, [...(byInput.get(member.input) ?? []), member]);
  let tensors = dense;
  const rounded = new Set<string>();
  for (const group of byInput.values()) {
    const [first] = group;
    if (!first) continue;
    const products = await inputProducts(
      programs,
      (batches) => inputsOf(programs, layer, first, tensors, batches, options),
      states,
    );
    for (const { weight } of group) {
      const tensor = tensors[weight];
      if (!tensor || !products) continue;
      throwIfCancelled(options.signal);
      const data = roundedMatrix(tensor, products, options.how ?? 'gptq');
      tensors = { ...tensors, [weight]: { ...tensor, data } };
      rounded.add(weight);
    }
  }
  return { tensors, rounded };
}

interface InputProducts {
  readonly product: Float64Array;
  readonly shrinkage: number;
}

/** Products of the inputs over all batches, and what of them is noise by those of every other batch. */
async function inputProducts(
  programs: Programs,
  inputs: (batches: readonly DeviceTensor[]) => AsyncIterable<DeviceTensor>,
  states: readonly DeviceTensor[],
): Promise<InputProducts | undefined> {
  const half = async (parity: number): Promise<ProductSums | undefined> => {
    const batches = states.filter((_, batch) => batch % 2 === parity);
    const { product, rows } = await channelStatistics(programs, inputs(batches), true);
    return product && { product, samples: rows };
  };
  const [even, odd] = [await half(0), await half(1)];
  if (!even || !odd) return even && { product: even.product, shrinkage: 0 };
  const shrinkage = splitShrinkage(even, odd, Math.sqrt(even.product.length));
  return { product: even.product.map((value, at) => value + (odd.product[at] as number)), shrinkage };
}

/** Rounds one matrix as it is asked for. */
function roundedMatrix({ data, shape }: HostTensor, { product, shrinkage }: InputProducts, how: CalibratedRounding) {
  const [outputs = 0, inputs = 0] = shape;
  const format = { bits: 4, block: QUANTISATION_BLOCK } as const;
  if (how === 'gptq') return gptqRound(product, data as Float32Array, outputs, inputs, { ...format, shrinkage });
  const squares = Float64Array.from({ length: inputs }, (_, index) => product[index * (inputs + 1)] as number);
  return weightedRound(squares, data as Float32Array, inputs, format);
}

/** A view of a checkpoint whose rounded weights, which may be some rows of a tensor, are read from the blocks that they are held in. */
function roundedView(checkpoint: Checkpoint, matrices: QuantisedMatrices): Checkpoint {
  return {
    ...checkpoint,
    async read(name, rows) {
      const [count = 0, columns] = checkpoint.tensors.get(name)?.shape ?? [];
      if (columns === undefined) return checkpoint.read(name, rows);
      const range = rows ?? { start: 0, end: count };
      const whole = matrices.read(name, columns, range);
      if (whole) return whole;
      const values = await checkpoint.read(name, rows);
      matrices.fill(values, name, columns, range);
      return values;
    },
  };
}
