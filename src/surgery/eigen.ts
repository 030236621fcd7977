import { DeviceError } from '../errors.ts';

/** Eigenvalues of a symmetric matrix, and its eigenvectors: row k of `vectors` [size, size] belongs to `values[k]`. */
export interface Eigen {
  readonly values: Float64Array;
  readonly vectors: Float64Array;
}

const STEPS = 60;

/**
 * Eigenvalues and orthonormal eigenvectors of a symmetric matrix [size, size], in no order: Householder reflections to a tridiagonal matrix, then the implicit QL algorithm (Golub and Van Loan, Matrix
 * Computations, sections 8.3.1 and 8.3.3). Throws DeviceError for a matrix that is not finite.
 */
export function symmetricEigen(matrix: Float64Array, size: number): Eigen {
  const { diagonal, beside, basis } = tridiagonal(matrix, size);
  for (let first = 0; first < size; first++) {
    for (let step = 0; ; step++) {
      let last = first;
      while (last < size - 1 && !isNegligible(diagonal, beside, last)) last++;
      if (last === first) break;
      if (step === STEPS)
        throw new DeviceError(
          `The eigenvalues of a matrix of ${size} channels cannot be found: its sums are damaged. Collect them again on the CPU backend.`,
        );
      chase(diagonal, beside, basis, size, first, last);
    }
  }
  return { values: diagonal, vectors: basis };
}

function isNegligible(diagonal: Float64Array, beside: Float64Array, at: number): boolean {
  const near = Math.abs(diagonal[at] as number) + Math.abs(diagonal[at + 1] as number);
  return Math.abs(beside[at] as number) <= Number.EPSILON * near;
}

/** One implicit QL step on the rows first to last, with Wilkinson's shift. */
function chase(d: Float64Array, e: Float64Array, basis: Float64Array, size: number, first: number, last: number): void {
  let g = ((d[first + 1] as number) - (d[first] as number)) / (2 * (e[first] as number));
  g = (d[last] as number) - (d[first] as number) + (e[first] as number) / (g + Math.sign(g || 1) * Math.hypot(g, 1));
  let [s, c, p] = [1, 1, 0];
  for (let i = last - 1; i >= first; i--) {
    const f = s * (e[i] as number);
    const b = c * (e[i] as number);
    const r = Math.hypot(f, g);
    e[i + 1] = r;
    if (r === 0) {
      d[i + 1] = (d[i + 1] as number) - p;
      e[last] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = (d[i + 1] as number) - p;
    const next = ((d[i] as number) - g) * s + 2 * c * b;
    p = s * next;
    d[i + 1] = g + p;
    g = c * next - b;
    const [lower, upper] = [i * size, (i + 1) * size];
    for (let k = 0; k < size; k++) {
      const [x, y] = [basis[lower + k] as number, basis[upper + k] as number];
      basis[upper + k] = s * x + c * y;
      basis[lower + k] = c * x - s * y;
    }
  }
  d[first] = (d[first] as number) - p;
  e[first] = g;
  e[last] = 0;
}

/** Q A Q^T with `diagonal` and, between row i and i + 1, `beside[i]`; `basis` is Q. */
function tridiagonal(matrix: Float64Array, size: number) {
  const a = matrix.slice();
  const basis = new Float64Array(size * size);
  for (let i = 0; i < size; i++) basis[i * size + i] = 1;
  const v = new Float64Array(size);
  const w = new Float64Array(size);
  for (let column = 0; column < size - 2; column++) {
    let norm = 0;
    for (let i = column + 1; i < size; i++) norm += (a[column * size + i] as number) ** 2;
    const head = a[column * size + column + 1] as number;
    const alpha = -Math.sign(head || 1) * Math.sqrt(norm);
    // v reflects the column onto its first entry below the diagonal: H = I - v v^T / half.
    const half = norm - head * alpha;
    if (!(half > 0)) continue;
    for (let i = column + 1; i < size; i++) v[i] = a[column * size + i] as number;
    v[column + 1] = head - alpha;
    let along = 0;
    for (let i = column + 1; i < size; i++) {
      let sum = 0;
      for (let k = column + 1; k < size; k++) sum += (a[i * size + k] as number) * (v[k] as number);
      w[i] = sum / half;
      along += (w[i] as number) * (v[i] as number);
    }
    for (let i = column + 1; i < size; i++) w[i] = (w[i] as number) - (along / (2 * half)) * (v[i] as number);
    for (let i = column + 1; i < size; i++)
      for (let k = column + 1; k < size; k++)
        a[i * size + k] =
          (a[i * size + k] as number) - (v[i] as number) * (w[k] as number) - (w[i] as number) * (v[k] as number);
    a.fill(0, column * size + column + 2, (column + 1) * size);
    a[column * size + column + 1] = alpha;
    reflect(basis, v, half, size, column + 1);
  }
  return {
    diagonal: Float64Array.from({ length: size }, (_, i) => a[i * size + i] as number),
    beside: Float64Array.from({ length: size }, (_, i) => (i + 1 < size ? (a[i * size + i + 1] as number) : 0)),
    basis,
  };
}

/** basis = (I - v v^T / half) basis, where v begins at `start`. */
function reflect(basis: Float64Array, v: Float64Array, half: number, size: number, start: number): void {
  const along = new Float64Array(size);
  for (let i = start; i < size; i++)
    for (let k = 0; k < size; k++) along[k] = (along[k] as number) + (v[i] as number) * (basis[i * size + k] as number);
  for (let i = start; i < size; i++) {
    const factor = (v[i] as number) / half;
    for (let k = 0; k < size; k++)
      basis[i * size + k] = (basis[i * size + k] as number) - factor * (along[k] as number);
  }
}
