/** A weight [outputs, inputs] in N-bit codes with its own minimum and step for every group of inputs of a row (docs/method.md section 7). */
export interface GroupQuantised {
  /** Rows of the matrix. */
  readonly outputs: number;
  /** Columns of the matrix. */
  readonly inputs: number;
  /** Bits of a code. */
  readonly bits: number;
  /** Inputs of a group; the last one of a row has those that are left. */
  readonly groupSize: number;
  /** [outputs, inputs], 0 to 2^bits - 1. */
  readonly codes: Uint8Array;
  /** [outputs, groups]; never 0. */
  readonly steps: Float32Array;
  /** [outputs, groups]; the value of code 0. */
  readonly minima: Float32Array;
}

/** Groups of one row. */
export const groupsOf = (inputs: number, groupSize: number): number => Math.ceil(inputs / groupSize);

/** Inputs in one group of a row: `groupSize`, or what is left for the last. */
export const groupMembers = (inputs: number, groupSize: number, group: number): number =>
  Math.min(groupSize, inputs - group * groupSize);

/** The weight that the codes stand for, alpha * code + beta: [outputs, inputs], or some of its rows. */
export function dequantiseGroups(
  { outputs, inputs, groupSize, codes, steps, minima }: GroupQuantised,
  rows = { start: 0, end: outputs },
): Float32Array {
  const groups = groupsOf(inputs, groupSize);
  const values = new Float32Array((rows.end - rows.start) * inputs);
  for (let row = rows.start; row < rows.end; row++) {
    for (let group = 0; group < groups; group++) {
      const [step, minimum] = [steps[row * groups + group] as number, minima[row * groups + group] as number];
      const first = row * inputs + group * groupSize;
      const last = first + groupMembers(inputs, groupSize, group);
      for (let at = first; at < last; at++) values[at - rows.start * inputs] = step * (codes[at] as number) + minimum;
    }
  }
  return values;
}
