import { UsageError } from '../errors.ts';

/** A matrix [rows, columns] in blocks along its columns, laid out as ONNX Runtime's MatMulNBits and GatherBlockQuantized read it. */
export interface QuantisedMatrix {
  /** Elements, row-major, a block padded to its full length: uint8 [rows, blocks, block * bits / 8]; 4-bit pairs have the earlier element in the low half. */
  readonly values: Uint8Array;
  /** float32 [rows, blocks] */
  readonly scales: Float32Array;
  /** Zero points packed like the elements: uint8 [rows, ceil(blocks * bits / 8)]. */
  readonly zeroPoints: Uint8Array;
}

/** Blocks of one row. */
export const blockCount = (columns: number, block: number) => Math.ceil(columns / block);

/**
 * Quantises each block of a row to `bits` bits: w ~ scale * (q - zeroPoint), q and zeroPoint whole numbers from 0 to 2^bits - 1.
 * The range always contains zero. A block that lies on such a grid already keeps it; otherwise, for 4 bits, the range is then narrowed where that lowers the block's squared error (a handful of
 * outliers otherwise costs all others their precision), and the scale fitted to the rounded elements; at 8 bits rounding is too fine for it to matter.
 */
export function quantiseBlocks(matrix: Float32Array, columns: number, bits: 4 | 8, block: number): QuantisedMatrix {
  const rows = matrix.length / columns;
  if (!Number.isInteger(rows))
    throw new UsageError(`A matrix of ${matrix.length} elements has no whole number of rows of ${columns} columns.`);
  const blocks = blockCount(columns, block);
  const perByte = 8 / bits;
  const zeroBytes = Math.ceil(blocks / perByte);
  const values = new Uint8Array((rows * blocks * block) / perByte);
  const scales = new Float32Array(rows * blocks);
  const zeroPoints = new Uint8Array(rows * zeroBytes);
  for (let row = 0; row < rows; row++) {
    for (let index = 0; index < blocks; index++) {
      const start = row * columns + index * block;
      const weights = matrix.subarray(start, Math.min(start + block, (row + 1) * columns));
      const { scale, zeroPoint } = blockGrid(weights, bits);
      scales[row * blocks + index] = scale;
      pack(zeroPoints, row * zeroBytes, index, zeroPoint, bits);
      const base = ((row * blocks + index) * block) / perByte;
      for (let k = 0; k < block; k++) {
        const value = k < weights.length ? code(weights[k] as number, { scale, zeroPoint }, bits) : zeroPoint;
        pack(values, base, k, value, bits);
      }
    }
  }
  return { values, scales, zeroPoints };
}

/** The numbers that a block may have: scale * (q - zeroPoint). */
export interface Grid {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** Factors by which either end of a block's range is tried narrower, for 4 bits. */
const SHRINKS = [1, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7];

/** The grid that a block of weights is rounded to. */
export function blockGrid(weights: Float32Array, bits: 4 | 8): Grid {
  return exactGrid(weights, bits) ?? bestGrid(weights, bits, bits === 8 ? [1] : SHRINKS);
}

/** The whole number that a weight becomes. */
export function code(weight: number, { scale, zeroPoint }: Grid, bits: 4 | 8): number {
  return quantise(weight, scale, zeroPoint, bits);
}

/** The grid that all weights of a block lie on, up to float32's rounding; undefined where there is none, or nothing but zeros. */
export function exactGrid(weights: Float32Array, bits: number): Grid | undefined {
  let least = Number.POSITIVE_INFINITY;
  let low = 0;
  let high = 0;
  for (const weight of weights) {
    if (weight !== 0) least = Math.min(least, Math.abs(weight));
    low = Math.min(low, weight);
    high = Math.max(high, weight);
  }
  const steps = (1 << bits) - 1;
  // Below float32's normal numbers nothing is exact.
  if (least === Number.POSITIVE_INFINITY || least < 1e-30 || high - low > steps * least * 1.001) return undefined;
  // The smallest weight is some whole number of steps from zero.
  for (let multiple = 1; multiple <= steps && high - low <= (steps * least * 1.001) / multiple; multiple++) {
    const grid = onSteps(weights, least / multiple, low);
    if (grid) return grid;
  }
  return undefined;
}

/** The grid of about that step if all weights are whole numbers of it; the step is fitted to them. */
function onSteps(weights: Float32Array, step: number, low: number): Grid | undefined {
  let products = 0;
  let squares = 0;
  for (const weight of weights) {
    const whole = Math.round(weight / step);
    if (Math.abs(weight / step - whole) > 1e-4) return undefined;
    products += weight * whole;
    squares += whole * whole;
  }
  const scale = Math.fround(products / squares);
  for (const weight of weights)
    if (Math.abs(weight - scale * Math.round(weight / scale)) > 1e-6 * scale) return undefined;
  return { scale, zeroPoint: Math.round(-low / scale) };
}

/** The grid over the block's range, narrowed by the factors that leave the smallest squared error. */
function bestGrid(weights: Float32Array, bits: number, shrinks: readonly number[]): Grid {
  let low = 0;
  let high = 0;
  for (const weight of weights) {
    if (weight < low) low = weight;
    if (weight > high) high = weight;
  }
  let best = gridOf(low, high, bits);
  let bestError = shrinks.length > 1 ? squaredError(weights, best, bits, Number.POSITIVE_INFINITY) : 0;
  for (const shrinkLow of shrinks) {
    for (const shrinkHigh of shrinks) {
      if (bestError === 0) return best;
      const grid = gridOf(low * shrinkLow, high * shrinkHigh, bits);
      const error = squaredError(weights, grid, bits, bestError);
      if (error >= bestError) continue;
      best = grid;
      bestError = error;
    }
  }
  return shrinks.length > 1 ? fitted(weights, best, bits, bestError) : best;
}

/** The scale that leaves the least squared error for the elements as they are rounded now, kept if rounding anew by it is no worse. */
function fitted(weights: Float32Array, { scale, zeroPoint }: Grid, bits: number, error: number): Grid {
  let products = 0;
  let squares = 0;
  for (const weight of weights) {
    const element = quantise(weight, scale, zeroPoint, bits) - zeroPoint;
    products += weight * element;
    squares += element * element;
  }
  const grid = { scale: squares === 0 ? scale : Math.fround(products / squares), zeroPoint };
  return grid.scale > 0 && squaredError(weights, grid, bits, error) < error ? grid : { scale, zeroPoint };
}

function gridOf(low: number, high: number, bits: number): Grid {
  const scale = Math.fround((high - low) / ((1 << bits) - 1));
  // Nothing but zeros, or a range below float32's smallest steps: everything rounds to zero.
  if (scale === 0) return { scale: 1, zeroPoint: 1 << (bits - 1) };
  return { scale, zeroPoint: clamp(Math.round(-low / scale), bits) };
}

/** Gives up, returning something larger, as soon as the sum passes `limit`. */
function squaredError(weights: Float32Array, { scale, zeroPoint }: Grid, bits: number, limit: number): number {
  let sum = 0;
  for (const weight of weights) {
    const difference = weight - scale * (quantise(weight, scale, zeroPoint, bits) - zeroPoint);
    sum += difference * difference;
    if (sum > limit) return sum;
  }
  return sum;
}

const clamp = (value: number, bits: number) => Math.min((1 << bits) - 1, Math.max(0, value));

const quantise = (weight: number, scale: number, zeroPoint: number, bits: number) =>
  clamp(Math.floor(weight / scale + 0.5) + zeroPoint, bits);

/** Writes the element `index` of a packed run that starts at byte `base`. */
function pack(target: Uint8Array, base: number, index: number, value: number, bits: number): void {
  if (bits === 8) target[base + index] = value;
  else {
    const at = base + (index >> 1);
    target[at] = (target[at] as number) | (value << ((index & 1) * 4));
  }
}
