import type { WeightBinding } from '../architecture/architecture.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { type GroupQuantised, groupsOf } from '../checkpoint/group-quantised.ts';
import { QUANTISATION_BLOCK } from './dtypes.ts';
import { evenSpacing } from './even-spacing.ts';
import { blockGrid, code, type QuantisedMatrix } from './quantise.ts';

/**
 * A matrix whose groups have minima that are no multiples of their steps: w = scale * (q - zeroPoint) + remainder. MatMulNBits takes whole zero points only
 * (fractions run on the CPU alone, in 4 bits, without its fast kernels); what is left over, half a step at most where zero lies among the values, is added by a
 * product of the remainders with the sums of the inputs of each group.
 */
export interface GroupBlocks extends QuantisedMatrix {
  /** float32 [blocks, rows] */
  readonly remainders: Float32Array;
}

/**
 * Whether some of these weights lie on grids that a decoder of `bits` can store as they are: held in groups, or read from a file that has such. The others of a stack are rounded as usual,
 * with remainders of zero.
 */
export function areGrouped(checkpoint: Checkpoint, weights: readonly WeightBinding[], bits: 4 | 8): boolean {
  return weights.some(({ tensor }) => hasGrids(checkpoint, tensor, bits));
}

/** Whether a tensor's weights lie on such grids. */
export function hasGrids(checkpoint: Checkpoint, tensor: string, bits: 4 | 8): boolean {
  const held = checkpoint.groupQuantised?.(tensor);
  if (held) return held.bits === bits && held.groupSize === QUANTISATION_BLOCK;
  const grids = checkpoint.tensors.get(tensor)?.grids;
  return grids?.bits === bits && grids.block === QUANTISATION_BLOCK;
}

/** The codes, steps and minima of a matrix [outputs, inputs]: of blocks that are evenly spaced just theirs, of others those of the grid that they are rounded to. */
export function groupsOfValues(values: Float32Array, inputs: number, bits: 4 | 8): GroupQuantised {
  const outputs = values.length / inputs;
  const blocks = groupsOf(inputs, QUANTISATION_BLOCK);
  const codes = new Uint8Array(values.length);
  const steps = new Float32Array(outputs * blocks);
  const minima = new Float32Array(outputs * blocks);
  for (let row = 0; row < outputs; row++) {
    for (let block = 0; block < blocks; block++) {
      const start = row * inputs + block * QUANTISATION_BLOCK;
      const weights = values.subarray(start, Math.min(start + QUANTISATION_BLOCK, (row + 1) * inputs));
      const even = evenSpacing(weights, bits);
      const grid = even ?? blockGrid(weights, bits);
      const group = row * blocks + block;
      steps[group] = 'step' in grid ? grid.step : grid.scale;
      minima[group] = 'step' in grid ? grid.least : -grid.scale * grid.zeroPoint;
      for (let index = 0; index < weights.length; index++) {
        const weight = weights[index] as number;
        codes[start + index] =
          'step' in grid ? Math.round((weight - grid.least) / grid.step) : code(weight, grid, bits);
      }
    }
  }
  return { outputs, inputs, bits, groupSize: QUANTISATION_BLOCK, codes, steps, minima };
}

async function groupsOfTensor(
  checkpoint: Checkpoint,
  { tensor, rows, shape }: WeightBinding,
  bits: 4 | 8,
): Promise<{ readonly weight: GroupQuantised; readonly rows: { readonly start: number; readonly end: number } }> {
  const held = checkpoint.groupQuantised?.(tensor);
  if (held?.bits === bits && held.groupSize === QUANTISATION_BLOCK)
    return { weight: held, rows: rows ?? { start: 0, end: held.outputs } };
  const weight = groupsOfValues(await checkpoint.read(tensor, rows), shape[1] ?? 1, bits);
  return { weight, rows: { start: 0, end: weight.outputs } };
}

/** The matrix of some weights stacked by their rows; what lies on grids already is not rounded. */
export async function groupBlocks(
  checkpoint: Checkpoint,
  weights: readonly WeightBinding[],
  bits: 4 | 8,
): Promise<GroupBlocks> {
  const parts = await Promise.all(weights.map((weight) => groupsOfTensor(checkpoint, weight, bits)));
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
function splitMinimum({ steps, minima, bits }: GroupQuantised, group: number) {
  const [step, minimum] = [steps[group] as number, minima[group] as number];
  const zeroPoint = Math.min(2 ** bits - 1, Math.max(0, Math.round(-minimum / step)));
  return { step, zeroPoint, remainder: minimum + step * zeroPoint };
}

/** Writes the element `index` of a packed run that starts at byte `base`; 4-bit pairs have the earlier one in the low half. */
function pack(target: Uint8Array, base: number, index: number, value: number, bits: 4 | 8): void {
  const at = base + (bits === 8 ? index : index >> 1);
  target[at] = (target[at] as number) | (bits === 8 ? value : value << ((index & 1) * 4));
}
