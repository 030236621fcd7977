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

/** Sums of w^2 times a factor of the other axis, per index of `axis` of a matrix [outputs, inputs]. */
export function weightedSquares(tensor: HostTensor, axis: 0 | 1, factors: ArrayLike<number>): Float64Array {
  const data = tensor.data as Float32Array;
  const [rows = 0, columns = 0] = tensor.shape;
  const sums = new Float64Array(axis === 0 ? rows : columns);
  for (let row = 0, index = 0; row < rows; row++) {
    const factor = factors[row] as number;
    let sum = 0;
    for (let column = 0; column < columns; column++, index++) {
      const value = data[index] as number;
      if (axis === 0) sum += value * value * (factors[column] as number);
      else sums[column] = (sums[column] as number) + value * value * factor;
    }
    if (axis === 0) sums[row] = sum;
  }
  return sums;
}
