import type { HostTensor } from '../../runtime/runtime.ts';
import type { MemberSlice } from '../structures/structures.ts';

export interface ChannelNorms {
  readonly absolute: Float64Array;
  readonly squares: Float64Array;
}

/** Several metrics ask for the norms of one weight; each is along one axis only. */
const known = new WeakMap<HostTensor, { readonly axis: MemberSlice['axis']; readonly norms: ChannelNorms }>();

/** Sums of |w| and w^2 per index of `axis`. */
export function channelNorms(tensor: HostTensor, axis: MemberSlice['axis']): ChannelNorms {
  const found = known.get(tensor);
  if (found?.axis === axis) return found.norms;
  const norms = computeNorms(tensor, axis);
  known.set(tensor, { axis, norms });
  return norms;
}

function computeNorms(tensor: HostTensor, axis: MemberSlice['axis']): ChannelNorms {
  const data = tensor.data as Float32Array;
  const rows = tensor.shape[0] ?? 1;
  const columns = data.length / rows;
  const size = axis === 0 ? rows : columns;
  const absolute = new Float64Array(size);
  const squares = new Float64Array(size);
  let index = 0;
  for (let row = 0; row < rows; row++) {
    if (axis === 0) {
      let [first, second] = [0, 0];
      for (const end = index + columns; index < end; index++) {
        const value = data[index] as number;
        first += Math.abs(value);
        second += value * value;
      }
      absolute[row] = first;
      squares[row] = second;
    } else {
      for (let column = 0; column < columns; column++, index++) {
        const value = data[index] as number;
        absolute[column] = (absolute[column] as number) + Math.abs(value);
        squares[column] = (squares[column] as number) + value * value;
      }
    }
  }
  return { absolute, squares };
}

/**
 * Sums of w^2 times a factor of the other axis, per index of `axis` of a matrix [outputs, inputs]. Four rows go together: their sums do not wait for one another, and each is added
 * up in the order of its elements.
 */
export function weightedSquares(tensor: HostTensor, axis: 0 | 1, factors: ArrayLike<number>): Float64Array {
  const data = tensor.data as Float32Array;
  const [rows = 0, columns = 0] = tensor.shape;
  const sums = new Float64Array(axis === 0 ? rows : columns);
  const together = rows - (rows % 4);
  for (let row = 0; row < together; row += 4) {
    if (axis === 0) squaresOfRows(data, row, columns, factors, sums);
    else squaresOfColumns(data, row, columns, factors, sums);
  }
  for (let row = together, index = row * columns; row < rows; row++)
    for (let column = 0; column < columns; column++, index++) {
      const value = data[index] as number;
      const [at, other] = axis === 0 ? [row, column] : [column, row];
      sums[at] = (sums[at] as number) + value * value * (factors[other] as number);
    }
  return sums;
}

function squaresOfRows(
  data: Float32Array,
  row: number,
  columns: number,
  factors: ArrayLike<number>,
  sums: Float64Array,
): void {
  let first = 0;
  let second = 0;
  let third = 0;
  let fourth = 0;
  let index = row * columns;
  for (let column = 0; column < columns; column++, index++) {
    const factor = factors[column] as number;
    const a = data[index] as number;
    const b = data[index + columns] as number;
    const c = data[index + 2 * columns] as number;
    const d = data[index + 3 * columns] as number;
    first += a * a * factor;
    second += b * b * factor;
    third += c * c * factor;
    fourth += d * d * factor;
  }
  sums.set([first, second, third, fourth], row);
}

function squaresOfColumns(
  data: Float32Array,
  row: number,
  columns: number,
  factors: ArrayLike<number>,
  sums: Float64Array,
): void {
  const [first, second] = [factors[row] as number, factors[row + 1] as number];
  const [third, fourth] = [factors[row + 2] as number, factors[row + 3] as number];
  let index = row * columns;
  for (let column = 0; column < columns; column++, index++) {
    const a = data[index] as number;
    const b = data[index + columns] as number;
    const c = data[index + 2 * columns] as number;
    const d = data[index + 3 * columns] as number;
    sums[column] = (sums[column] as number) + a * a * first + b * b * second + c * c * third + d * d * fourth;
  }
}
