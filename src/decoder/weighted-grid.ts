import { code, exactGrid, type Grid } from './quantise.ts';

/** Scales that are tried, as shares of the one that the block's range asks for. */
const FACTORS = [0.55, 0.62, 0.69, 0.76, 0.83, 0.89, 0.95, 1];
/** How often the scale is fitted to the codes, and the codes to it. */
const FITS = 2;

/**
 * The grid of a block of weights that leaves the smallest sum of importance * (weight - rounded)^2: zero points one to either side of the range's, scales from it down to about half, and the best
 * of them fitted to its codes. A block that lies on a grid already keeps it. `importance`: one number a weight, such as the mean square of its input.
 */
export function weightedGrid(weights: Float32Array, importance: Float64Array, bits: 4 | 8): Grid {
  const exact = exactGrid(weights, bits);
  if (exact) return exact;
  const steps = (1 << bits) - 1;
  let low = 0;
  let high = 0;
  for (const weight of weights) {
    low = Math.min(low, weight);
    high = Math.max(high, weight);
  }
  const middle = Math.round((-low / (high - low)) * steps) || 0;
  const search = new Search(weights, importance, bits);
  for (let zeroPoint = Math.max(0, middle - 1); zeroPoint <= Math.min(steps, middle + 1); zeroPoint++) {
    const widest = Math.max(zeroPoint > 0 ? -low / zeroPoint : 0, zeroPoint < steps ? high / (steps - zeroPoint) : 0);
    for (const factor of FACTORS) search.attempt({ scale: Math.fround(factor * widest), zeroPoint });
  }
  for (let fit = 0; fit < FITS; fit++) search.fit();
  return search.best;
}

class Search {
  /** Nothing but zeros, or a range below float32's smallest steps: everything rounds to zero. */
  best: Grid;
  #error = Number.POSITIVE_INFINITY;
  readonly #weights: Float32Array;
  readonly #importance: Float64Array;
  readonly #bits: 4 | 8;

  constructor(weights: Float32Array, importance: Float64Array, bits: 4 | 8) {
    this.best = { scale: 1, zeroPoint: 1 << (bits - 1) };
    this.#weights = weights;
    this.#importance = importance;
    this.#bits = bits;
  }

  attempt(grid: Grid): void {
    const { scale, zeroPoint } = grid;
    if (!(scale > 0)) return;
    let error = 0;
    for (let index = 0; index < this.#weights.length; index++) {
      const weight = this.#weights[index] as number;
      const off = weight - scale * (code(weight, grid, this.#bits) - zeroPoint);
      error += (this.#importance[index] as number) * off * off;
      if (error >= this.#error) return;
    }
    this.#error = error;
    this.best = grid;
  }

  /** Tries the scale that is best for the codes which the best grid gives. */
  fit(): void {
    const { zeroPoint } = this.best;
    let [products, squares] = [0, 0];
    for (let index = 0; index < this.#weights.length; index++) {
      const weight = this.#weights[index] as number;
      const steps = code(weight, this.best, this.#bits) - zeroPoint;
      products += (this.#importance[index] as number) * weight * steps;
      squares += (this.#importance[index] as number) * steps * steps;
    }
    if (squares > 0) this.attempt({ scale: Math.fround(products / squares), zeroPoint });
  }
}
