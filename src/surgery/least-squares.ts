import { DeviceError, MismatchError, UsageError } from '../errors.ts';
import { cholesky, solveInPlace } from './cholesky.ts';
import { subtractProducts } from './products.ts';

/** docs/method.md section 5: a small ridge; a large one hurts. */
const DEFAULT_LAMBDA = 1e-3;
/** Each retry of a matrix that is not positive definite raises lambda by this factor. */
const LAMBDA_GROWTH = 10;
const ATTEMPTS = 8;

/**
 * Least-squares reconstruction of a projection on its kept input channels (docs/method.md section 5), [outputs, kept]:
 * W_S = argmin |W_S X_S - W X|^2 + r |W_S - W[:, S]|^2, r = lambda times the mean diagonal of X_S X_S^T.
 * With R the removed channels and C = X X^T this is W_S = W[:, S] + W[:, R] C_RS (C_SS + r I)^-1, solved in float64.
 *
 * `product` is C [inputs, inputs], `weight` W [outputs, inputs], `kept` ascending channel indices.
 * Throws UsageError for a lambda that is not above 0, MismatchError for sizes that disagree, DeviceError for a C that is not finite or cannot be factored.
 */
export function reconstruct(
  product: Float64Array | Float32Array,
  weight: Float32Array,
  outputs: number,
  inputs: number,
  kept: ArrayLike<number>,
  lambda: number = DEFAULT_LAMBDA,
): Float32Array {
  checkSizes(product, weight, outputs, inputs, kept);
  if (!(lambda > 0 && lambda < Number.POSITIVE_INFINITY))
    throw new UsageError(
      `The least-squares lambda is ${lambda}; it must be above 0 (${DEFAULT_LAMBDA} is a good value).`,
    );
  const stays = new Uint8Array(inputs);
  for (let i = 0; i < kept.length; i++) stays[kept[i] as number] = 1;
  const removed = range(inputs).filter((channel) => stays[channel] === 0);
  const size = kept.length;

  // B = W[:, R] C_RS: its negative by the subtracting kernel, then the sign turned: [outputs, kept].
  const crossing = gather(product, kept, removed, inputs);
  const removedColumns = gather(weight, range(outputs), removed, inputs);
  const depth = removed.length;
  const right = new Float64Array(outputs * size);
  subtractProducts(rows(right, size), rows(removedColumns, depth), rows(crossing, depth), outputs, size, depth);
  for (let i = 0; i < right.length; i++) right[i] = -(right[i] as number);

  const matrix = gather(product, kept, kept, inputs);
  let meanDiagonal = 0;
  for (let i = 0; i < size; i++) meanDiagonal += (matrix[i * size + i] as number) / size;
  // Solved in place, the right-hand sides become the change D = B (C_SS + r I)^-1. Channels that never carry anything leave nothing to solve: the kept columns stay as they are.
  if (meanDiagonal > 0) solveWithRidge(matrix, size, meanDiagonal, lambda, right, outputs);
  else if (meanDiagonal !== 0) throw notFinite(meanDiagonal);
  else right.fill(0);

  const result = new Float32Array(outputs * size);
  for (let row = 0; row < outputs; row++) {
    for (let i = 0; i < size; i++)
      result[row * size + i] =
        (weight[row * inputs + (kept[i] as number)] as number) + (right[row * size + i] as number);
  }
  if (!result.every(Number.isFinite)) throw notFinite(Number.NaN);
  return result;
}

/** Solves (matrix + r I) x = b for the rows b of `right` in place, raising lambda until the matrix can be factored. */
function solveWithRidge(
  matrix: Float64Array,
  size: number,
  meanDiagonal: number,
  lambda: number,
  right: Float64Array,
  count: number,
): void {
  if (!Number.isFinite(meanDiagonal)) throw notFinite(meanDiagonal);
  const diagonal = Float64Array.from({ length: size }, (_, i) => matrix[i * size + i] as number);
  let used = lambda;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++, used *= LAMBDA_GROWTH) {
    for (let i = 0; i < size; i++) matrix[i * size + i] = (diagonal[i] as number) + used * meanDiagonal;
    const factor = cholesky(matrix, size);
    if (!factor) continue;
    solveInPlace(factor, size, right, count);
    return;
  }
  throw new DeviceError(
    `The products of ${size} input channels cannot be factored, not even with lambda ${used / LAMBDA_GROWTH}. Their sums are damaged: collect them again on the CPU backend, or use bias compensation.`,
  );
}

function notFinite(value: number): DeviceError {
  return new DeviceError(
    `The products of the input channels give ${value}; they must be finite, and their diagonal not negative. Collect the statistics again on the CPU backend.`,
  );
}

/** The sub-matrix of some rows and columns, as float64. */
function gather(
  matrix: ArrayLike<number>,
  rowIndices: ArrayLike<number>,
  columnIndices: ArrayLike<number>,
  stride: number,
): Float64Array {
  const width = columnIndices.length;
  const result = new Float64Array(rowIndices.length * width);
  for (let i = 0; i < rowIndices.length; i++) {
    const base = (rowIndices[i] as number) * stride;
    for (let j = 0; j < width; j++) result[i * width + j] = matrix[base + (columnIndices[j] as number)] as number;
  }
  return result;
}

function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index);
}

function rows(data: Float64Array, stride: number) {
  return { data, offset: 0, stride };
}

function checkSizes(
  product: ArrayLike<number>,
  weight: ArrayLike<number>,
  outputs: number,
  inputs: number,
  kept: ArrayLike<number>,
): void {
  if (weight.length !== outputs * inputs)
    throw new MismatchError(
      `The weight has ${weight.length} numbers; [${outputs}, ${inputs}] needs ${outputs * inputs}.`,
    );
  if (product.length !== inputs * inputs)
    throw new MismatchError(
      `The channel products have ${product.length} numbers; ${inputs} channels need ${inputs * inputs}.`,
    );
  for (let i = 0; i < kept.length; i++) {
    const channel = kept[i] as number;
    const previous = i === 0 ? -1 : (kept[i - 1] as number);
    if (channel <= previous || channel >= inputs)
      throw new MismatchError(
        `Kept channel ${channel} comes after ${previous}; kept channels ascend and lie below ${inputs}.`,
      );
  }
}
