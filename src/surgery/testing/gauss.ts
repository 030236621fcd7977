/** Solves A x = b by Gauss elimination with pivoting: slow, simple, independent of the solver under test. */
export function gauss(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const rows = matrix.map((row, i) => [...row, right[i] ?? 0]);
  const size = rows.length;
  const at = (i: number, j: number) => rows[i]?.[j] ?? 0;
  for (let column = 0; column < size; column++) {
    let pivot = column;
    for (let i = column; i < size; i++) if (Math.abs(at(i, column)) > Math.abs(at(pivot, column))) pivot = i;
    const [a, b] = [rows[column] ?? [], rows[pivot] ?? []];
    rows[column] = b;
    rows[pivot] = a;
    for (let i = column + 1; i < size; i++) {
      const factor = at(i, column) / at(column, column);
      rows[i] = (rows[i] ?? []).map((value, j) => value - factor * at(column, j));
    }
  }
  const x = Array<number>(size).fill(0);
  for (let i = size - 1; i >= 0; i--) {
    let value = at(i, size);
    for (let j = i + 1; j < size; j++) value -= at(i, j) * (x[j] ?? 0);
    x[i] = value / at(i, i);
  }
  return x;
}
