import { blockGrid, code, type Grid } from '../decoder/quantise.ts';
import { DeviceError, MismatchError } from '../errors.ts';
import { cholesky, solveInPlace } from './cholesky.ts';
import { subtractProducts } from './products.ts';

/** Share of the mean diagonal that is added to the diagonal, as Frantar et al. do. */
const DAMPING = 0.01;
const DAMPING_GROWTH = 10;
const ATTEMPTS = 6;
/** Columns whose errors are carried to the columns after them in one product. */
const PANEL = 128;

/** How a matrix is rounded. */
export interface GptqFormat {
  readonly bits: 4 | 8;
  /** Inputs that share a grid. */
  readonly block: number;
  /** Share of the products of different inputs that is not believed, 0 to 1. Default 0. */
  readonly shrinkage?: number;
}

/**
 * Rounds a matrix to 4 or 8 bits so that its outputs on the calibration inputs change least (GPTQ: Frantar et al. 2022, arXiv 2210.17323, algorithm 1):
 * columns are rounded from the first to the last, and the error of each is made up for by those after it. With U the upper Cholesky factor of
 * (X X^T + damping)^-1, column i leaves e = (w_i - q_i) / U_ii and w_j loses e U_ij for j > i. A block's grid is chosen when its first column is reached.
 *
 * `product` is X X^T [inputs, inputs]; of few samples its off-diagonal entries are noise in part, and are shrunk towards zero by `shrinkage` (`splitShrinkage` tells how much). `weight` [outputs, inputs]. Returns the weights on their grids, [outputs, inputs], which `quantiseBlocks` finds again.
 * Throws MismatchError for sizes that disagree, DeviceError for a product that cannot be factored.
 */
export function gptqRound(
  product: Float64Array,
  weight: Float32Array,
  outputs: number,
  inputs: number,
  { bits, block, shrinkage = 0 }: GptqFormat,
): Float32Array {
  if (weight.length !== outputs * inputs || product.length !== inputs * inputs)
    throw new MismatchError(
      `The weight has ${weight.length} numbers and the products of its inputs ${product.length}; [${outputs}, ${inputs}] needs ${outputs * inputs} and ${inputs * inputs}.`,
    );
  const upper = inverseFactor(shrunk(product, inputs, shrinkage), inputs);
  const left = Float64Array.from(weight);
  const result = new Float32Array(outputs * inputs);
  for (let start = 0; start < inputs; start += PANEL) {
    const end = Math.min(inputs, start + PANEL);
    const errors = new Float64Array(outputs * (end - start));
    for (let row = 0; row < outputs; row++) {
      const base = row * inputs;
      let grid: Grid = { scale: 1, zeroPoint: 0 };
      for (let column = start; column < end; column++) {
        if (column % block === 0)
          grid = blockGrid(
            Float32Array.from(left.subarray(base + column, base + Math.min(inputs, column + block))),
            bits,
          );
        const value = left[base + column] as number;
        const rounded = Math.fround(grid.scale * (code(value, grid, bits) - grid.zeroPoint));
        result[base + column] = rounded;
        const error = (value - rounded) / (upper[column * inputs + column] as number);
        errors[row * (end - start) + column - start] = error;
        for (let next = column + 1; next < end; next++)
          left[base + next] = (left[base + next] as number) - error * (upper[column * inputs + next] as number);
      }
    }
    carry(left, errors, upper, { outputs, inputs, start, end });
  }
  return result;
}

/** Takes the errors of a panel of columns from all columns after it. */
function carry(
  left: Float64Array,
  errors: Float64Array,
  upper: Float64Array,
  { outputs, inputs, start, end }: Record<'outputs' | 'inputs' | 'start' | 'end', number>,
): void {
  const depth = end - start;
  const after = inputs - end;
  if (after === 0) return;
  // The product kernel reads both operands along their rows: U[start:end, end:] transposed.
  const columns = new Float64Array(after * depth);
  for (let k = 0; k < depth; k++)
    for (let j = 0; j < after; j++) columns[j * depth + k] = upper[(start + k) * inputs + end + j] as number;
  subtractProducts(
    { data: left, offset: end, stride: inputs },
    { data: errors, offset: 0, stride: depth },
    { data: columns, offset: 0, stride: depth },
    outputs,
    after,
    depth,
  );
}

/** The products with those of different inputs made smaller. */
function shrunk(product: Float64Array, size: number, shrinkage: number): Float64Array {
  if (shrinkage === 0) return product;
  const result = product.map((value) => (1 - shrinkage) * value);
  for (let i = 0; i < size; i++) result[i * size + i] = product[i * size + i] as number;
  return result;
}

/** U [size, size] with U^T U = (A + damping)^-1; channels that never carry anything count as the damping alone. */
function inverseFactor(product: Float64Array, size: number): Float64Array {
  let mean = 0;
  for (let i = 0; i < size; i++) mean += (product[i * size + i] as number) / size;
  if (!Number.isFinite(mean) || mean < 0)
    throw new DeviceError(
      `The products of the inputs have the mean ${mean}, so that nothing can be weighed by them; round to the nearest instead (--rounding nearest), or give other text.`,
    );
  for (let attempt = 0, damping = DAMPING; attempt < ATTEMPTS; attempt++, damping *= DAMPING_GROWTH) {
    const damped = product.slice();
    for (let i = 0; i < size; i++) damped[i * size + i] = (damped[i * size + i] as number) + (damping * mean || 1);
    const factor = cholesky(damped, size);
    if (!factor) continue;
    const inverse = new Float64Array(size * size);
    for (let i = 0; i < size; i++) inverse[i * size + i] = 1;
    solveInPlace(factor, size, inverse, size);
    const lower = cholesky(inverse, size);
    if (lower) return transposed(lower, size);
  }
  throw new DeviceError(
    `The products of ${size} input channels cannot be factored; round to the nearest instead (--rounding nearest), or give other text.`,
  );
}

function transposed(matrix: Float64Array, size: number): Float64Array {
  const result = new Float64Array(size * size);
  for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) result[j * size + i] = matrix[i * size + j] as number;
  return result;
}
