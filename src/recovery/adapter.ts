import { type GroupQuantised, groupMembers, groupsOf } from '../checkpoint/group-quantised.ts';
import { MismatchError, UsageError } from '../errors.ts';
import { seededRandom } from '../random.ts';

/** A low-rank change of a linear layer that acts on group-pooled inputs; with groups of 1 it is plain LoRA (Hu et al. 2021). */
export interface Adapter {
  readonly rank: number;
  /** Inputs whose mean is one pooled input; the last group of a row has those that are left. */
  readonly groupSize: number;
  readonly inputs: number;
  readonly outputs: number;
  /** s = scale / rank. */
  readonly strength: number;
  /** A [rank, groups]. */
  readonly down: Float32Array;
  /** B [outputs, rank]. */
  readonly up: Float32Array;
  /** Where the steps of a quantised weight's groups are trained beside A and B. */
  readonly steps?: GroupSteps;
}

/** The trained steps of the groups of a quantised weight: step' = step exp(`STEP_RATE` change), so that none becomes 0 (scales alone are trained in PEQA, Kim et al. 2023, arXiv 2305.14152). */
export interface GroupSteps {
  /** [outputs, groups]; 0 changes nothing. */
  readonly change: Float32Array;
  /** [outputs, groups], of the weight as it was quantised: steps act on what lies above them. */
  readonly minima: Float32Array;
}

/** AdamW moves every parameter by about the learning rate; a step wants a quarter of what A and B want. */
const STEP_RATE = 0.25;

/** What each step is multiplied by. */
export const stepFactors = ({ change }: GroupSteps): Float64Array =>
  Float64Array.from(change, (value) => Math.exp(STEP_RATE * value));

/** The gradient with respect to `change` from that with respect to the factors. */
export const stepGradient = (steps: GroupSteps, ofFactors: ArrayLike<number>): Float32Array =>
  Float32Array.from(stepFactors(steps), (factor, index) => STEP_RATE * factor * (ofFactors[index] as number));

/** Steps of some rows of a quantised weight (all by default) that change nothing. */
export function createSteps(
  { outputs, inputs, groupSize, minima }: GroupQuantised,
  rows = { start: 0, end: outputs },
): GroupSteps {
  const groups = groupsOf(inputs, groupSize);
  const own = minima.slice(rows.start * groups, rows.end * groups);
  return { change: new Float32Array(own.length), minima: own };
}

export interface AdapterOptions {
  readonly rank: number;
  readonly scale: number;
  readonly groupSize: number;
  readonly seed: number;
}

/** A new adapter that changes nothing: A uniform within +-1 / sqrt(its inputs), as PEFT draws it, and B zero. Throws UsageError for sizes that do not fit. */
export function createAdapter(
  outputs: number,
  inputs: number,
  { rank, scale, groupSize, seed }: AdapterOptions,
): Adapter {
  if (!Number.isInteger(rank) || rank < 1)
    throw new UsageError(`A rank of ${rank} was asked for; it must be a whole number from 1.`);
  if (!Number.isInteger(groupSize) || groupSize < 1)
    throw new UsageError(`A group of ${groupSize} inputs was asked for; it must be a whole number from 1.`);
  const groups = groupsOf(inputs, groupSize);
  const random = seededRandom(seed);
  const bound = 1 / Math.sqrt(groups);
  const down = Float32Array.from({ length: rank * groups }, () => bound * (2 * random() - 1));
  return { rank, groupSize, inputs, outputs, strength: scale / rank, down, up: new Float32Array(outputs * rank) };
}

/** The means over groups as a matrix [groups, inputs]: pool(x) = x P^T. */
export function poolingMatrix(inputs: number, groupSize: number): Float32Array {
  const groups = groupsOf(inputs, groupSize);
  const matrix = new Float32Array(groups * inputs);
  for (let group = 0; group < groups; group++) {
    const members = groupMembers(inputs, groupSize, group);
    const first = group * inputs + group * groupSize;
    matrix.fill(1 / members, first, first + members);
  }
  return matrix;
}

/**
 * Merges an adapter into the minima of the groups of some rows (all by default): beta' = beta + s (B A) / members of the group, and trained steps into the steps. Codes
 * stay, so the merged weight is still N-bit, exactly. Throws MismatchError when sizes or groups differ.
 */
export function mergeIntoGroups(
  weight: GroupQuantised,
  adapter: Adapter,
  rows = { start: 0, end: weight.outputs },
): GroupQuantised {
  if (
    weight.inputs !== adapter.inputs ||
    rows.end - rows.start !== adapter.outputs ||
    weight.groupSize !== adapter.groupSize
  )
    throw new MismatchError(
      `An adapter of [${adapter.outputs}, ${adapter.inputs}] in groups of ${adapter.groupSize} cannot be merged into ${rows.end - rows.start} rows of a weight of [${weight.outputs}, ${weight.inputs}] in groups of ${weight.groupSize}.`,
    );
  const change = adapterChange(adapter);
  const minima = weight.minima.slice();
  const offset = rows.start * groupsOf(weight.inputs, weight.groupSize);
  for (const [index, value] of change.entries()) minima[offset + index] = (minima[offset + index] as number) + value;
  if (!adapter.steps) return { ...weight, minima };
  const steps = weight.steps.slice();
  for (const [index, factor] of stepFactors(adapter.steps).entries())
    steps[offset + index] = (steps[offset + index] as number) * factor;
  return { ...weight, minima, steps };
}

/** W + s B A spread over each group: the weight of a layer that is not quantised after merging. Throws MismatchError. */
export function mergeIntoWeight(weight: Float32Array, adapter: Adapter): Float32Array {
  const { inputs, outputs, groupSize } = adapter;
  if (weight.length !== inputs * outputs)
    throw new MismatchError(
      `An adapter of [${outputs}, ${inputs}] cannot be merged into a weight of ${weight.length} values.`,
    );
  const change = adapterChange(adapter);
  const groups = groupsOf(inputs, groupSize);
  return weight.map(
    (value, index) =>
      value + (change[Math.floor(index / inputs) * groups + Math.floor((index % inputs) / groupSize)] as number),
  );
}

/** s B A over the members of each group: what every weight of a group changes by, [outputs, groups], summed in float64. */
function adapterChange({ rank, inputs, outputs, groupSize, strength, down, up }: Adapter): Float64Array {
  const groups = groupsOf(inputs, groupSize);
  const change = new Float64Array(outputs * groups);
  for (let output = 0; output < outputs; output++) {
    for (let inner = 0; inner < rank; inner++) {
      const factor = strength * (up[output * rank + inner] as number);
      for (let group = 0; group < groups; group++) {
        const index = output * groups + group;
        change[index] = (change[index] as number) + factor * (down[inner * groups + group] as number);
      }
    }
  }
  return change.map((value, index) => value / groupMembers(inputs, groupSize, index % groups));
}
