/** Number of elements of a tensor of this shape; 1 for a scalar. May be Infinity or inexact above 2^53: check sizes from a file with Number.isSafeInteger. */
export function elementCount(shape: readonly number[]): number {
  // A size of 0 before one of infinity is still nothing.
  return shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1);
}

const TILE = 32;

/** [rows, columns] -> [columns, rows], by tiles that stay in the cache. */
export function transpose<T extends Float32Array | Float64Array>(matrix: T, rows: number): T {
  const columns = matrix.length / rows;
  const result = matrix.slice() as T;
  for (let top = 0; top < rows; top += TILE) {
    const bottom = Math.min(rows, top + TILE);
    for (let left = 0; left < columns; left += TILE) {
      const right = Math.min(columns, left + TILE);
      for (let row = top; row < bottom; row++)
        for (let column = left; column < right; column++)
          result[column * rows + row] = matrix[row * columns + column] as number;
    }
  }
  return result;
}
