import type { WeightBinding } from '../architecture/architecture.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { type GroupQuantised, groupsOf } from '../checkpoint/group-quantised.ts';
import { QUANTISATION_BLOCK } from './dtypes.ts';
import type { QuantisedMatrix } from './quantise.ts';

/**
 * A matrix whose groups have minima that are no multiples of their steps: w = scale * (q - zeroPoint) + remainder. MatMulNBits takes whole zero points only
 * (fractions run on the CPU alone, in 4 bits, without its fast kernels); what is left over, half a step at most before training, is added by a
 * product of the remainders with the sums of the inputs of each group.
 */
export interface GroupBlocks extends QuantisedMatrix {
  /** float32 [blocks, rows] */
  readonly remainders: Float32Array;
}

/** Whether weights are held in just the groups and bits that a decoder of `bits` stores, so that it can take their codes as they are. */
export function areGrouped(
  checkpoint: Checkpoint,
  weights: readonly WeightBinding[],
  bits: 4 | 8 | undefined,
): boolean {
  return weights.every(({ tensor }) => {
    const found = checkpoint.groupQuantised?.(tensor);
    return found !== undefined && found.bits === bits && found.groupSize === QUANTISATION_BLOCK;
  });
}

/** The matrix of some weights stacked by their rows, without rounding anything. */
export function groupBlocks(checkpoint: Checkpoint, weights: readonly WeightBinding[], bits: 4 | 8): GroupBlocks {
  const parts = weights.flatMap(({ tensor, rows }) => {
    const weight = checkpoint.groupQuantised?.(tensor);
    return weight ? [{ weight, rows: rows ?? { start: 0, end: weight.outputs } }] : [];
  });
  const outputs = parts.reduce((sum, { rows }) => sum + rows.end - rows.start, 0);
  const blocks = groupsOf(parts[0]?.weight.inputs ?? 0, QUANTISATION_BLOCK);
  const perByte = 8 / bits;
  const zeroBytes = Math.ceil(blocks / perByte);
  const result = {
    values: new Uint8Array((outputs * blocks * QUANTISATION_BLOCK) / perByte),
    scales: new Float32Array(outputs * blocks),
    zeroPoints: new Uint8Array(outputs * zeroBytes),
    remainders: new Float32Array(blocks * outputs),
  };
  let output = 0;
  for (const { weight, rows } of parts) {
    for (let row = rows.start; row < rows.end; row++) {
      for (let block = 0; block < blocks; block++) {
        const { step, zeroPoint, remainder } = splitMinimum(weight, row * blocks + block);
        result.scales[output * blocks + block] = step;
        result.remainders[block * outputs + output] = remainder;
        pack(result.zeroPoints, output * zeroBytes, block, zeroPoint, bits);
        const base = ((output * blocks + block) * QUANTISATION_BLOCK) / perByte;
        for (let k = 0; k < QUANTISATION_BLOCK; k++) {
          const column = block * QUANTISATION_BLOCK + k;
          pack(
            result.values,
            base,
            k,
            column < weight.inputs ? (weight.codes[row * weight.inputs + column] as number) : zeroPoint,
            bits,
          );
        }
      }
      output += 1;
    }
  }
  return result;
}

/** minimum = remainder - step * zeroPoint, with the whole zero point that leaves the least. */
function splitMinimum(
  { steps, minima, bits }: GroupQuantised,
  group: number,
): { readonly step: number; readonly zeroPoint: number; readonly remainder: number } {
  const [step, minimum] = [steps[group] as number, minima[group] as number];
  const zeroPoint = Math.min(2 ** bits - 1, Math.max(0, Math.round(-minimum / step)));
  return { step, zeroPoint, remainder: minimum + step * zeroPoint };
}

/** Writes the element `index` of a packed run that starts at byte `base`; 4-bit pairs have the earlier one in the low half. */
function pack(target: Uint8Array, base: number, index: number, value: number, bits: 4 | 8): void {
  const at = base + (bits === 8 ? index : index >> 1);
  target[at] = (target[at] as number) | (bits === 8 ? value : value << ((index & 1) * 4));
}
