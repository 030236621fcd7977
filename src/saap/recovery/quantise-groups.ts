import { MismatchError, UsageError } from '../../errors.ts';

/** A weight [outputs, inputs] in N-bit codes with its own minimum and step for every group of inputs of a row (docs/method.md section 7). */
export interface GroupQuantised {
  readonly outputs: number;
  readonly inputs: number;
  readonly bits: number;
  readonly groupSize: number;
  /** [outputs, inputs], 0 to 2^bits - 1. */
  readonly codes: Uint8Array;
  /** [outputs, inputs / groupSize]; never 0. */
  readonly steps: Float32Array;
  /** [outputs, inputs / groupSize]; the value of code 0. */
  readonly minima: Float32Array;
}

export interface GroupQuantisation {
  readonly bits: number;
  /** Inputs that share a minimum and a step; must divide the inputs. */
  readonly groupSize: number;
}

/**
 * alpha = (max - min) / (2^N - 1), beta = min, code = round((w - beta) / alpha), per row and group of inputs (QA-LoRA, Xu et al. 2024).
 * A group of equal values has code 0 throughout and is exact. Quantising what was dequantised gives the same codes.
 * Throws UsageError for bits or a group size outside the domain, MismatchError for inputs that the groups do not divide.
 */
export function quantiseGroups(weight: Float32Array, inputs: number, { bits, groupSize }: GroupQuantisation): GroupQuantised {
  if (!Number.isInteger(bits) || bits < 2 || bits > 8) throw new UsageError(`${bits} bits were asked for; weights are quantised to 2 to 8 bits.`);
  if (!Number.isInteger(groupSize) || groupSize < 1) throw new UsageError(`A group of ${groupSize} inputs was asked for; it must be a whole number from 1.`);
  if (inputs % groupSize !== 0)
    throw new MismatchError(
      `A weight has ${inputs} inputs, which groups of ${groupSize} do not divide. Plan with widths that are multiples of ${groupSize}, or choose a smaller group.`,
    );
  if (weight.length === 0 || weight.length % inputs !== 0)
    throw new MismatchError(`A weight has ${weight.length} values; rows of ${inputs} inputs do not divide them.`);
  const outputs = weight.length / inputs;
  const levels = 2 ** bits - 1;
  const codes = new Uint8Array(weight.length);
  const steps = new Float32Array(weight.length / groupSize);
  const minima = new Float32Array(steps.length);
  for (let group = 0; group < steps.length; group++) {
    const values = weight.subarray(group * groupSize, (group + 1) * groupSize);
    let [smallest, largest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const value of values) {
      smallest = Math.min(smallest, value);
      largest = Math.max(largest, value);
    }
    if (!Number.isFinite(smallest) || !Number.isFinite(largest))
      throw new MismatchError(`Row ${Math.floor((group * groupSize) / inputs)} of a weight has values that are not finite and cannot be quantised.`);
    const step = Math.fround((largest - smallest) / levels);
    minima[group] = smallest;
    steps[group] = step > 0 ? step : 1;
    if (!(step > 0)) continue;
    values.forEach((value, index) => {
      codes[group * groupSize + index] = Math.min(levels, Math.round((value - smallest) / step));
    });
  }
  return { outputs, inputs, bits, groupSize, codes, steps, minima };
}

/** The weight [outputs, inputs] that the codes stand for: alpha * code + beta. */
export function dequantiseGroups({ codes, steps, minima, groupSize }: GroupQuantised): Float32Array {
  return Float32Array.from(codes, (code, index) => {
    const group = Math.floor(index / groupSize);
    return (steps[group] ?? 0) * code + (minima[group] ?? 0);
  });
}

/** Zero points [outputs, inputs / groupSize] in codes, as operators for N-bit products take them: w = (code - zero) * step. */
export function zeroPoints({ steps, minima }: GroupQuantised): Float32Array {
  return minima.map((minimum, group) => -minimum / (steps[group] ?? 1));
}
