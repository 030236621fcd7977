import { type GroupQuantised, groupMembers, groupsOf } from '../checkpoint/group-quantised.ts';
import { MismatchError, UsageError } from '../errors.ts';

export type { GroupQuantised } from '../checkpoint/group-quantised.ts';

export interface GroupQuantisation {
  readonly bits: number;
  /** Inputs that share a minimum and a step; the last group of a row has those that are left. */
  readonly groupSize: number;
}

/**
 * alpha = (max - min) / (2^N - 1), beta = min, code = round((w - beta) / alpha), per row and group of inputs (QA-LoRA, Xu et al. 2024).
 * A group of equal values has code 0 throughout and is exact. Quantising what was dequantised gives the same codes.
 * Throws UsageError for bits or a group size outside the domain, MismatchError for values that are not finite or fill no whole rows.
 */
export function quantiseGroups(
  weight: Float32Array,
  inputs: number,
  { bits, groupSize }: GroupQuantisation,
): GroupQuantised {
  if (!Number.isInteger(bits) || bits < 2 || bits > 8)
    throw new UsageError(`${bits} bits were asked for; weights are quantised to 2 to 8 bits.`);
  if (!Number.isInteger(groupSize) || groupSize < 1)
    throw new UsageError(`A group of ${groupSize} inputs was asked for; it must be a whole number from 1.`);
  if (weight.length === 0 || weight.length % inputs !== 0)
    throw new MismatchError(`A weight has ${weight.length} values; rows of ${inputs} inputs do not divide them.`);
  const outputs = weight.length / inputs;
  const groups = groupsOf(inputs, groupSize);
  const levels = 2 ** bits - 1;
  const codes = new Uint8Array(weight.length);
  const steps = new Float32Array(outputs * groups);
  const minima = new Float32Array(outputs * groups);
  for (let group = 0; group < steps.length; group++) {
    const row = Math.floor(group / groups);
    const first = row * inputs + (group % groups) * groupSize;
    const values = weight.subarray(first, first + groupMembers(inputs, groupSize, group % groups));
    let [smallest, largest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    let sum = 0;
    for (const value of values) {
      if (value < smallest) smallest = value;
      if (value > largest) largest = value;
      sum += value;
    }
    if (!Number.isFinite(sum))
      throw new MismatchError(`Row ${row} of a weight has values that are not finite and cannot be quantised.`);
    const step = Math.fround((largest - smallest) / levels);
    minima[group] = smallest;
    steps[group] = step > 0 ? step : 1;
    if (!(step > 0)) continue;
    for (let index = 0; index < values.length; index++)
      codes[first + index] = Math.min(levels, Math.round(((values[index] as number) - smallest) / step));
  }
  return { outputs, inputs, bits, groupSize, codes, steps, minima };
}
