import { DeviceError, MismatchError } from '../errors.ts';
import { cholesky, solveInPlace } from './cholesky.ts';
import { subtractProducts } from './products.ts';

/** Ridge relative to the mean diagonal, towards a repair that changes nothing. */
const RIDGE = 1e-3;

/** Sums over tokens of a block whose followers are removed: M what its MLP adds to the residual stream, D what the removed blocks added, both [tokens, width]. */
export interface SpanStatistics {
  /** M^T M [width, width]. */
  readonly products: Float64Array;
  /** M^T D [width, width]. */
  readonly crossing: Float64Array;
}

/**
 * ReplaceMe's linear map in place of removed blocks (Shopkhoev et al. 2025, arXiv 2505.02819): T = argmin |M T - (M + D)|^2, so that what the last block before the gap adds stands for what the removed
 * ones added as well; a small ridge holds it to the identity. Returns T - 1 transposed [width, width], float64. Throws MismatchError for sizes that disagree, DeviceError for sums that cannot be factored.
 */
export function spanMap({ products, crossing }: SpanStatistics, width: number): Float64Array {
  if (products.length !== width * width || crossing.length !== width * width)
    throw new MismatchError(
      `The sums of a block of width ${width} are ${products.length} and ${crossing.length} numbers.`,
    );
  let mean = 0;
  for (let i = 0; i < width; i++) mean += (products[i * width + i] as number) / width;
  const matrix = products.slice();
  for (let i = 0; i < width; i++) matrix[i * width + i] = (matrix[i * width + i] as number) + (RIDGE * mean || 1);
  const factor = cholesky(matrix, width);
  if (!factor)
    throw new DeviceError(
      `The products of ${width} channels cannot be factored. Their sums are damaged: collect them again on the CPU backend.`,
    );
  // With T = 1 + X the normal equations are (M^T M + r) X = M^T D; the solver takes columns of X as rows.
  const result = new Float64Array(width * width);
  for (let i = 0; i < width; i++)
    for (let j = 0; j < width; j++) result[j * width + i] = crossing[i * width + j] as number;
  solveInPlace(factor, width, result, width);
  return result;
}

/** T^T W for W [width, columns], the weights (or as one column the bias) whose output the map takes; `map` from `spanMap`. */
export function mapped(map: Float64Array, weight: Float32Array, width: number): Float32Array {
  const columns = weight.length / width;
  const right = new Float64Array(columns * width);
  for (let i = 0; i < width; i++)
    for (let j = 0; j < columns; j++) right[j * width + i] = -(weight[i * columns + j] as number);
  const result = Float64Array.from(weight);
  const whole = (data: Float64Array, stride: number) => ({ data, offset: 0, stride });
  subtractProducts(whole(result, columns), whole(map, width), whole(right, width), width, columns, width);
  return Float32Array.from(result);
}

/**
 * The first block of the `count` consecutive ones that change the residual stream least: `cosines[i]` is the mean cosine between the states after block i and after block i + count, and the
 * blocks in between go. The first block always stays, to carry the map.
 */
export function leastSpan(cosines: readonly number[]): number {
  return cosines.reduce((best, cosine, index) => (cosine > (cosines[best] ?? 0) ? index : best), 0) + 1;
}
