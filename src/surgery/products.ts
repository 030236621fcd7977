/** A row-major float64 matrix within a larger array: row i begins at `offset + i * stride`. */
export interface Rows {
  readonly data: Float64Array;
  readonly offset: number;
  readonly stride: number;
}

/**
 * target[i, j] -= sum over k in [0, depth) of left[i, k] * right[j, k]: the one inner kernel of the solver and of the right-hand sides. Both operands are read
 * along their rows. 4 x 4 dot products at a time, so that every number loaded is used four times; each sum runs in the order of k whatever the tiling.
 */
export function subtractProducts(
  target: Rows,
  left: Rows,
  right: Rows,
  rows: number,
  columns: number,
  depth: number,
): void {
  for (let i = 0; i < rows; i += 4) {
    const high = Math.min(4, rows - i);
    for (let j = 0; j < columns; j += 4) {
      const wide = Math.min(4, columns - j);
      if (high === 4 && wide === 4) subtractTile(target, left, right, i, j, depth);
      else
        for (let row = i; row < i + high; row++)
          for (let column = j; column < j + wide; column++) subtractOne(target, left, right, row, column, depth);
    }
  }
}

function subtractOne(target: Rows, left: Rows, right: Rows, row: number, column: number, depth: number): void {
  const a = left.data;
  const b = right.data;
  let p = left.offset + row * left.stride;
  let q = right.offset + column * right.stride;
  let sum = 0;
  for (let k = 0; k < depth; k++) sum += (a[p++] as number) * (b[q++] as number);
  const t = target.offset + row * target.stride + column;
  target.data[t] = (target.data[t] as number) - sum;
}

function subtractTile(target: Rows, left: Rows, right: Rows, row: number, column: number, depth: number): void {
  const a = left.data;
  const b = right.data;
  const p0 = left.offset + row * left.stride;
  const p1 = p0 + left.stride;
  const p2 = p1 + left.stride;
  const p3 = p2 + left.stride;
  const q0 = right.offset + column * right.stride;
  const q1 = q0 + right.stride;
  const q2 = q1 + right.stride;
  const q3 = q2 + right.stride;
  let s00 = 0;
  let s01 = 0;
  let s02 = 0;
  let s03 = 0;
  let s10 = 0;
  let s11 = 0;
  let s12 = 0;
  let s13 = 0;
  let s20 = 0;
  let s21 = 0;
  let s22 = 0;
  let s23 = 0;
  let s30 = 0;
  let s31 = 0;
  let s32 = 0;
  let s33 = 0;
  for (let k = 0; k < depth; k++) {
    const a0 = a[p0 + k] as number;
    const a1 = a[p1 + k] as number;
    const a2 = a[p2 + k] as number;
    const a3 = a[p3 + k] as number;
    const b0 = b[q0 + k] as number;
    const b1 = b[q1 + k] as number;
    const b2 = b[q2 + k] as number;
    const b3 = b[q3 + k] as number;
    s00 += a0 * b0;
    s01 += a0 * b1;
    s02 += a0 * b2;
    s03 += a0 * b3;
    s10 += a1 * b0;
    s11 += a1 * b1;
    s12 += a1 * b2;
    s13 += a1 * b3;
    s20 += a2 * b0;
    s21 += a2 * b1;
    s22 += a2 * b2;
    s23 += a2 * b3;
    s30 += a3 * b0;
    s31 += a3 * b1;
    s32 += a3 * b2;
    s33 += a3 * b3;
  }
  const out = target.data;
  const t0 = target.offset + row * target.stride + column;
  const t1 = t0 + target.stride;
  const t2 = t1 + target.stride;
  const t3 = t2 + target.stride;
  out[t0] = (out[t0] as number) - s00;
  out[t0 + 1] = (out[t0 + 1] as number) - s01;
  out[t0 + 2] = (out[t0 + 2] as number) - s02;
  out[t0 + 3] = (out[t0 + 3] as number) - s03;
  out[t1] = (out[t1] as number) - s10;
  out[t1 + 1] = (out[t1 + 1] as number) - s11;
  out[t1 + 2] = (out[t1 + 2] as number) - s12;
  out[t1 + 3] = (out[t1 + 3] as number) - s13;
  out[t2] = (out[t2] as number) - s20;
  out[t2 + 1] = (out[t2 + 1] as number) - s21;
  out[t2 + 2] = (out[t2 + 2] as number) - s22;
  out[t2 + 3] = (out[t2 + 3] as number) - s23;
  out[t3] = (out[t3] as number) - s30;
  out[t3 + 1] = (out[t3 + 1] as number) - s31;
  out[t3 + 2] = (out[t3 + 2] as number) - s32;
  out[t3 + 3] = (out[t3 + 3] as number) - s33;
}
