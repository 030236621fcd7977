/** Plain calculations in double precision, written without looking at any runtime: what conformance cases compare with. */

export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly at: (row: number, column: number) => number;
}

/** A row-major matrix over `values`, starting at `offset`. */
export function matrix(values: ArrayLike<number>, rows: number, columns: number, offset = 0): Matrix {
  return { rows, columns, at: (row, column) => Number(values[offset + row * columns + column]) };
}

export function transposed({ rows, columns, at }: Matrix): Matrix {
  return { rows: columns, columns: rows, at: (row, column) => at(column, row) };
}

/** Row-major elements of a * b. */
export function product(a: Matrix, b: Matrix): number[] {
  const result: number[] = [];
  for (let row = 0; row < a.rows; row++) {
    for (let column = 0; column < b.columns; column++) {
      let sum = 0;
      for (let k = 0; k < a.columns; k++) sum += a.at(row, k) * b.at(k, column);
      result.push(sum);
    }
  }
  return result;
}

/** Maps each row of `size` consecutive elements by `rule`. */
export function mapRows(values: ArrayLike<number>, size: number, rule: (row: number[]) => number[]): number[] {
  const result: number[] = [];
  for (let start = 0; start < values.length; start += size)
    result.push(...rule(Array.from({ length: size }, (_, index) => Number(values[start + index]))));
  return result;
}

export function softmax(row: number[]): number[] {
  const largest = Math.max(...row);
  const powers = row.map((value) => Math.exp(value - largest));
  const total = powers.reduce((sum, value) => sum + value, 0);
  return powers.map((value) => value / total);
}

/** 1 / sqrt(mean square + epsilon) of a row. */
export function inverseRootMeanSquare(row: readonly number[], epsilon: number): number {
  return 1 / Math.sqrt(row.reduce((sum, value) => sum + value * value, 0) / row.length + epsilon);
}

/** All coordinates of a shape, in row-major order. */
export function coordinates(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>(
    (prefixes, size) => prefixes.flatMap((prefix) => Array.from({ length: size }, (_, index) => [...prefix, index])),
    [[]],
  );
}

/** Row-major position of a coordinate. */
export function position(coordinate: readonly number[], shape: readonly number[]): number {
  return coordinate.reduce((total, index, axis) => total * Number(shape[axis]) + index, 0);
}

/** Elements over which `axes` are reduced, per remaining coordinate in row-major order. */
export function groupsOver(values: ArrayLike<number>, shape: readonly number[], axes: readonly number[]): number[][] {
  const groups = new Map<string, number[]>();
  for (const coordinate of coordinates(shape)) {
    const key = coordinate.filter((_, axis) => !axes.includes(axis)).join();
    const group = groups.get(key) ?? [];
    group.push(Number(values[position(coordinate, shape)]));
    groups.set(key, group);
  }
  return [...groups.values()];
}
