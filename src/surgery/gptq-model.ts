import type { WeightBinding } from '../architecture/architecture.ts';
import { ASSIGNMENT, EXACT, isPrunable } from '../architecture/block-weights.ts';
import { disposeAll, forwardBlocks } from '../architecture/forward.ts';
import type { Programs } from '../architecture/programs.ts';
import type { WeightStore } from '../architecture/weight-store.ts';
import { type HostWeights, readWeights, uploadWeights } from '../architecture/weights.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { overlayCheckpoint, type Replacement } from '../checkpoint/overlay.ts';
import { QUANTISATION_BLOCK } from '../decoder/dtypes.ts';
import { hasGrids } from '../decoder/group-blocks.ts';
import { throwIfCancelled } from '../errors.ts';
import { type LinearMember, linearLayer, linearMembers } from '../importance/structures/linear-members.ts';
import type { CoupledStructure } from '../importance/structures/structures.ts';
import type { LongRunning } from '../progress.ts';
import type { DeviceTensor } from '../runtime/runtime.ts';
import { channelStatistics } from './channel-statistics.ts';
import { inputsOf } from './compensate.ts';
import { gptqRound } from './gptq.ts';
import { type ProductSums, splitShrinkage } from './split-shrinkage.ts';

export interface GptqOptions extends LongRunning {
  readonly structuresOf: (layer: number) => readonly CoupledStructure[];
}

type LinearLayer = Omit<LinearMember, 'axis'>;

/** Tokens per run. */
const BATCH_TOKENS = 1024;

/**
 * The model with the matrices of its blocks rounded to 4 bits by GPTQ, layer by layer: each matrix sees the inputs that the already rounded model gives it.
 * The weights are float32 on the grids of their blocks, which the export in q4 keeps as they are. Embedding and output matrix stay, and so do matrices that lie on such grids already.
 */
export async function gptqRounded(
  programs: Programs,
  store: WeightStore,
  windows: readonly ArrayLike<number>[],
  options: GptqOptions,
): Promise<Checkpoint> {
  const { checkpoint, architecture } = store.model;
  const { layers } = architecture.config;
  const rounded = new RoundedTensors(checkpoint);
  const perBatch = Math.max(
    1,
    Math.min(Math.ceil(windows.length / 2), Math.floor(BATCH_TOKENS / Math.max(1, windows[0]?.length ?? 1))),
  );
  const batches = Array.from({ length: Math.ceil(windows.length / perBatch) }, (_, index) =>
    windows.slice(index * perBatch, (index + 1) * perBatch),
  );
  const report = (completed: number) =>
    options.onProgress?.({ stage: 'rounding', completed, total: layers, unit: 'layers' });
  const last = await forwardBlocks(programs, store, batches, {
    signal: options.signal,
    weights: async (layer, states) => {
      report(layer);
      const bindings = architecture.blockWeights(layer);
      const kept = new Set(bindings.filter(({ tensor }) => hasGrids(checkpoint, tensor, 4)).map(({ input }) => input));
      const weights = await roundLayer(programs, layer, await readWeights(checkpoint, bindings), kept, states, options);
      await rounded.record(bindings, weights);
      return uploadWeights(programs.runtime, weights.tensors);
    },
  });
  disposeAll(last);
  report(layers);
  return overlayCheckpoint(checkpoint, rounded.replacements);
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
  options: GptqOptions,
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
    const { product, shrinkage } = await inputProducts(
      programs,
      (batches) => inputsOf(programs, layer, first, tensors, batches, options),
      states,
    );
    for (const { weight } of group) {
      const tensor = tensors[weight];
      if (!tensor || !product) continue;
      throwIfCancelled(options.signal);
      const [outputs = 0, inputs = 0] = tensor.shape;
      const data = gptqRound(product, tensor.data as Float32Array, outputs, inputs, {
        bits: 4,
        block: QUANTISATION_BLOCK,
        shrinkage,
      });
      tensors = { ...tensors, [weight]: { ...tensor, data } };
      rounded.add(weight);
    }
  }
  return { tensors, rounded };
}

/** Products of the inputs over all batches, and what of them is noise by those of every other batch. */
async function inputProducts(
  programs: Programs,
  inputs: (batches: readonly DeviceTensor[]) => AsyncIterable<DeviceTensor>,
  states: readonly DeviceTensor[],
): Promise<{ readonly product: Float64Array | undefined; readonly shrinkage: number }> {
  const half = async (parity: number): Promise<ProductSums | undefined> => {
    const batches = states.filter((_, batch) => batch % 2 === parity);
    const { product, rows } = await channelStatistics(programs, inputs(batches), true);
    return product && { product, samples: rows };
  };
  const [even, odd] = [await half(0), await half(1)];
  if (!even || !odd) return { product: even?.product, shrinkage: 0 };
  const shrinkage = splitShrinkage(even, odd, Math.sqrt(even.product.length));
  return { product: even.product.map((value, at) => value + (odd.product[at] as number)), shrinkage };
}

/** The checkpoint's tensors that rounded weights belong to; a weight may be some rows of one. */
class RoundedTensors {
  readonly replacements = new Map<string, Replacement>();
  readonly #checkpoint: Checkpoint;
  constructor(checkpoint: Checkpoint) {
    this.#checkpoint = checkpoint;
  }

  async record(bindings: readonly WeightBinding[], { tensors, rounded }: RoundedLayer): Promise<void> {
    for (const { input, tensor, rows } of bindings) {
      const weight = tensors[input];
      if (!weight || !rounded.has(input)) continue;
      if (!rows) {
        this.replacements.set(tensor, { shape: weight.shape, data: weight.data as Float32Array });
        continue;
      }
      const [, columns = 0] = weight.shape;
      const whole = this.replacements.get(tensor) ?? {
        shape: [rows.of, columns],
        data: await this.#checkpoint.read(tensor),
      };
      whole.data.set(weight.data as Float32Array, rows.start * columns);
      this.replacements.set(tensor, whole);
    }
  }
}
