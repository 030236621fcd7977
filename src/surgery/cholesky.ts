import { transpose } from '../arrays.ts';
import { type Rows, subtractProducts } from './products.ts';

/** Columns per block: 64 rows of a factor of 1,536 are 0.8 MB, which stays in the second-level cache. */
const BLOCK = 64;

/**
 * The Cholesky factor L of a symmetric positive definite matrix [size, size] (only its lower triangle is read): A = L L^T, L in the lower triangle of the result,
 * zeros above. Left-looking by blocks, float64. Undefined where a pivot is not positive beyond rounding, so that the caller can try a larger ridge.
 */
export function cholesky(matrix: Float64Array, size: number): Float64Array | undefined {
  const factor = new Float64Array(size * size);
  let largest = 0;
  for (let i = 0; i < size; i++) {
    factor.set(matrix.subarray(i * size, i * size + i + 1), i * size);
    largest = Math.max(largest, matrix[i * size + i] as number);
  }
  const smallest = largest * size * Number.EPSILON;
  for (let start = 0; start < size; start += BLOCK) {
    const width = Math.min(BLOCK, size - start);
    const panel = rowsOf(factor, start, size);
    // What the columns before this block contribute to it, and to all rows below it; above the diagonal of the block the result is not wanted.
    for (let row = start; row < size; row += BLOCK) {
      const height = Math.min(BLOCK, size - row);
      subtractProducts(
        { data: factor, offset: row * size + start, stride: size },
        rowsOf(factor, row, size),
        panel,
        height,
        width,
        start,
      );
    }
    for (let column = start; column < start + width; column++) {
      factor.fill(0, column * size + column + 1, column * size + start + width);
      const pivot = (factor[column * size + column] as number) - dotRows(factor, column, column, start, size);
      if (!(pivot > smallest)) return undefined;
      const diagonal = Math.sqrt(pivot);
      factor[column * size + column] = diagonal;
      for (let row = column + 1; row < size; row++) {
        const index = row * size + column;
        factor[index] = ((factor[index] as number) - dotRows(factor, row, column, start, size)) / diagonal;
      }
    }
  }
  return factor;
}

/** Sum over k in [start, column) of L[row, k] L[column, k]. */
function dotRows(factor: Float64Array, row: number, column: number, start: number, size: number): number {
  let p = row * size + start;
  let q = column * size + start;
  let sum = 0;
  for (let k = start; k < column; k++) sum += (factor[p++] as number) * (factor[q++] as number);
  return sum;
}

/**
 * Solves L L^T x = b for every row b of `right` [count, size], in place: on return its rows are the solutions.
 * Block by block, what is known is subtracted by the product kernel; within a block the triangle is solved directly.
 */
export function solveInPlace(factor: Float64Array, size: number, right: Float64Array, count: number): void {
  for (let start = 0; start < size; start += BLOCK) {
    const width = Math.min(BLOCK, size - start);
    subtractProducts(
      { data: right, offset: start, stride: size },
      rowsOf(right, 0, size),
      rowsOf(factor, start, size),
      count,
      width,
      start,
    );
    for (let row = 0; row < count; row++) {
      const base = row * size;
      for (let i = start; i < start + width; i++) {
        let value = right[base + i] as number;
        for (let k = start; k < i; k++) value -= (right[base + k] as number) * (factor[i * size + k] as number);
        right[base + i] = value / (factor[i * size + i] as number);
      }
    }
  }
  // Backwards with L^T, whose rows are contiguous once it is transposed.
  const upper = transpose(factor, size);
  for (let start = Math.floor((size - 1) / BLOCK) * BLOCK; start >= 0; start -= BLOCK) {
    const end = Math.min(size, start + BLOCK);
    const known = { data: right, offset: end, stride: size };
    subtractProducts(
      { data: right, offset: start, stride: size },
      known,
      { data: upper, offset: start * size + end, stride: size },
      count,
      end - start,
      size - end,
    );
    for (let row = 0; row < count; row++) {
      const base = row * size;
      for (let i = end - 1; i >= start; i--) {
        let value = right[base + i] as number;
        for (let k = i + 1; k < end; k++) value -= (right[base + k] as number) * (upper[i * size + k] as number);
        right[base + i] = value / (upper[i * size + i] as number);
      }
    }
  }
}

function rowsOf(data: Float64Array, row: number, size: number): Rows {
  return { data, offset: row * size, stride: size };
}
