import { transpose } from '../arrays.ts';
import { code, type Grid } from '../decoder/quantise.ts';
import { weightedGrid } from '../decoder/weighted-grid.ts';
import { DeviceError, MismatchError } from '../errors.ts';
import { cholesky, solveInPlace } from './cholesky.ts';
import { subtractProducts } from './products.ts';

/** Share of the mean diagonal that is added to the diagonal. Frantar et al. add a hundredth, to hundred times the text. */
const DAMPING = 0.1;
const DAMPING_GROWTH = 10;
const ATTEMPTS = 5;
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
 * Rounds a matrix to 4 or 8 bits so that its outputs on the calibration inputs change least (GPTQ: Frantar et al. 2022, arXiv 2210.17323, algorithm 1, with the activation order of its authors' code):
 * columns are rounded from the one whose input is largest to the smallest, and the error of each is made up for by those after it. With U the upper Cholesky factor of
 * (X X^T + damping)^-1, column i leaves e = (w_i - q_i) / U_ii and w_j loses e U_ij for j > i. Grids are chosen before that (`weightedGrid`), an error of w_i weighed by what is left of it when all other columns make up
 * for it, 1 / ((X X^T + damping)^-1)_ii.
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
  const order = [...Array(inputs).keys()].sort((a, b) => at(product, b, b, inputs) - at(product, a, a, inputs));
  const { inverse, upper } = factored(shrunk(product, inputs, shrinkage), order);
  const importance = Float64Array.from({ length: inputs }, (_, i) => 1 / at(inverse, i, i, inputs));
  const left = new Float64Array(outputs * inputs);
  for (let row = 0; row < outputs; row++)
    for (let i = 0; i < inputs; i++) left[row * inputs + i] = weight[row * inputs + (order[i] as number)] as number;
  const grids = gridsOf(weight, inputs, importance, { bits, block });
  const blocks = Math.ceil(inputs / block);
  const result = new Float32Array(outputs * inputs);
  for (let start = 0; start < inputs; start += PANEL) {
    const end = Math.min(inputs, start + PANEL);
    const errors = new Float64Array(outputs * (end - start));
    for (let row = 0; row < outputs; row++) {
      const base = row * inputs;
      for (let column = start; column < end; column++) {
        const input = order[column] as number;
        const grid = grids[row * blocks + Math.floor(input / block)] as Grid;
        const value = left[base + column] as number;
        const rounded = onGrid(value, grid, bits);
        result[base + input] = rounded;
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

/**
 * Rounds each weight [outputs, inputs] to the nearest on its block's grid, which leaves the smallest squared error weighed by `squares`, the mean square of each input: what can be said where products of inputs
 * are not known well enough to make up for errors.
 */
export function weightedRound(
  squares: Float64Array,
  weight: Float32Array,
  inputs: number,
  format: Pick<GptqFormat, 'bits' | 'block'>,
): Float32Array {
  const grids = gridsOf(weight, inputs, squares, format);
  const blocks = Math.ceil(inputs / format.block);
  return weight.map((value, index) => {
    const row = Math.floor(index / inputs);
    const grid = grids[row * blocks + Math.floor((index - row * inputs) / format.block)] as Grid;
    return onGrid(value, grid, format.bits);
  });
}

/** The grid of every block, row after row. */
function gridsOf(
  weight: Float32Array,
  inputs: number,
  importance: Float64Array,
  { bits, block }: Pick<GptqFormat, 'bits' | 'block'>,
): Grid[] {
  const grids: Grid[] = [];
  for (let base = 0; base < weight.length; base += inputs)
    for (let start = 0; start < inputs; start += block) {
      const end = Math.min(inputs, start + block);
      grids.push(weightedGrid(weight.subarray(base + start, base + end), importance.subarray(start, end), bits));
    }
  return grids;
}

const onGrid = (value: number, grid: Grid, bits: 4 | 8) =>
  Math.fround(grid.scale * (code(value, grid, bits) - grid.zeroPoint));

const at = (matrix: Float64Array, row: number, column: number, size: number) => matrix[row * size + column] as number;

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

interface Factored {
  /** (A + damping)^-1 [size, size] */
  readonly inverse: Float64Array;
  /** U [size, size] with U^T U the inverse, its rows and columns in the given order. */
  readonly upper: Float64Array;
}

/** What the damped products are inverted to; channels that never carry anything count as the damping alone. */
function factored(product: Float64Array, order: readonly number[]): Factored {
  const size = order.length;
  let mean = 0;
  for (let i = 0; i < size; i++) mean += at(product, i, i, size) / size;
  if (!Number.isFinite(mean) || mean < 0)
    throw new DeviceError(
      `The products of the inputs have the mean ${mean}, so that nothing can be weighed by them; round to the nearest instead (--rounding nearest), or give other text.`,
    );
  for (let attempt = 0, damping = DAMPING; attempt < ATTEMPTS; attempt++, damping *= DAMPING_GROWTH) {
    const damped = product.slice();
    for (let i = 0; i < size; i++) damped[i * size + i] = at(damped, i, i, size) + (damping * mean || 1);
    const factor = cholesky(damped, size);
    if (!factor) continue;
    const inverse = new Float64Array(size * size);
    for (let i = 0; i < size; i++) inverse[i * size + i] = 1;
    solveInPlace(factor, size, inverse, size);
    const ordered = new Float64Array(size * size);
    for (const [row, from] of order.entries())
      for (const [column, of] of order.entries()) ordered[row * size + column] = at(inverse, from, of, size);
    const lower = cholesky(ordered, size);
    if (lower) return { inverse, upper: transpose(lower, size) };
  }
  throw new DeviceError(
    `The products of ${size} input channels cannot be factored; round to the nearest instead (--rounding nearest), or give other text.`,
  );
}
