import { linear } from '../../architecture/pieces.ts';
import { MismatchError, UsageError } from '../../errors.ts';
import { float, type GraphBuilder } from '../../onnx/builder.ts';
import { seededRandom } from '../../random.ts';
import type { GroupQuantised } from './quantise-groups.ts';

/** A low-rank change of a linear layer that acts on group-pooled inputs; with groups of 1 it is plain LoRA (Hu et al. 2021). */
export interface Adapter {
  readonly rank: number;
  readonly groupSize: number;
  readonly inputs: number;
  readonly outputs: number;
  /** s = scale / rank. */
  readonly strength: number;
  /** A [rank, inputs / groupSize]. */
  readonly down: Float32Array;
  /** B [outputs, rank]. */
  readonly up: Float32Array;
}

export interface AdapterOptions {
  readonly rank: number;
  readonly scale: number;
  readonly groupSize: number;
  readonly seed: number;
}

/** A new adapter that changes nothing: A uniform within +-1 / sqrt(its inputs), as PEFT draws it, and B zero. Throws UsageError for sizes that do not fit. */
export function createAdapter(outputs: number, inputs: number, { rank, scale, groupSize, seed }: AdapterOptions): Adapter {
  if (!Number.isInteger(rank) || rank < 1) throw new UsageError(`A rank of ${rank} was asked for; it must be a whole number from 1.`);
  if (!Number.isInteger(groupSize) || groupSize < 1 || inputs % groupSize !== 0)
    throw new UsageError(`Groups of ${groupSize} inputs were asked for, which do not divide ${inputs} inputs.`);
  const pooled = inputs / groupSize;
  const random = seededRandom(seed);
  const bound = 1 / Math.sqrt(pooled);
  const down = Float32Array.from({ length: rank * pooled }, () => bound * (2 * random() - 1));
  return { rank, groupSize, inputs, outputs, strength: scale / rank, down, up: new Float32Array(outputs * rank) };
}

/** Graph values of an adapter: `down` A [rank, inputs / groupSize] and `up` B [outputs, rank]. */
export interface AdapterValues {
  readonly down: string;
  readonly up: string;
  readonly groupSize: number;
  readonly strength: number;
}

/** y [rows, outputs] = x W~^T (+ bias) + s * pool(x) A^T B^T, pool = the mean over each group of inputs (docs/method.md section 7). */
export function adaptedLinear(builder: GraphBuilder, input: string, weight: string, adapter: AdapterValues, bias?: string): string {
  return builder.add('Add', [linear(builder, input, weight, bias), adapterTerm(builder, input, adapter)]);
}

function adapterTerm(builder: GraphBuilder, input: string, { down, up, groupSize, strength }: AdapterValues): string {
  const pooled =
    groupSize === 1
      ? input
      : builder.add('ReduceMean', [builder.add('Reshape', [input, builder.integers([0, -1, groupSize])]), builder.integers([2])], { keepdims: 0 });
  return builder.add('Gemm', [linear(builder, pooled, down), up], { transB: 1, alpha: float(strength) });
}

/**
 * Merges an adapter into the minima of the groups: beta' = beta + s (B A) / groupSize. Codes and steps stay, so the merged weight is still
 * N-bit, exactly. Throws MismatchError when sizes or groups differ.
 */
export function mergeIntoGroups(weight: GroupQuantised, adapter: Adapter): GroupQuantised {
  if (weight.inputs !== adapter.inputs || weight.outputs !== adapter.outputs || weight.groupSize !== adapter.groupSize)
    throw new MismatchError(
      `An adapter of [${adapter.outputs}, ${adapter.inputs}] in groups of ${adapter.groupSize} cannot be merged into a weight of [${weight.outputs}, ${weight.inputs}] in groups of ${weight.groupSize}.`,
    );
  const change = adapterProduct(adapter);
  return { ...weight, minima: weight.minima.map((minimum, group) => minimum + (change[group] ?? 0) / weight.groupSize) };
}

/** W + s B A repeated over each group, over groupSize: the weight of a layer that is not quantised after merging. Throws MismatchError. */
export function mergeIntoWeight(weight: Float32Array, adapter: Adapter): Float32Array {
  if (weight.length !== adapter.inputs * adapter.outputs)
    throw new MismatchError(`An adapter of [${adapter.outputs}, ${adapter.inputs}] cannot be merged into a weight of ${weight.length} values.`);
  const change = adapterProduct(adapter);
  return weight.map((value, index) => value + (change[Math.floor(index / adapter.groupSize)] ?? 0) / adapter.groupSize);
}

/** s B A, [outputs, inputs / groupSize], summed in float64. */
function adapterProduct({ rank, inputs, outputs, groupSize, strength, down, up }: Adapter): Float64Array {
  const pooled = inputs / groupSize;
  const product = new Float64Array(outputs * pooled);
  for (let output = 0; output < outputs; output++) {
    for (let inner = 0; inner < rank; inner++) {
      const factor = strength * (up[output * rank + inner] ?? 0);
      for (let group = 0; group < pooled; group++) {
        const index = output * pooled + group;
        product[index] = (product[index] ?? 0) + factor * (down[inner * pooled + group] ?? 0);
      }
    }
  }
  return product;
}
