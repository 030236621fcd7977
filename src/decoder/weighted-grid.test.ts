import { describe, expect, test } from 'vitest';
import { seededRandom } from '../random.ts';
import { blockGrid, code, type Grid } from './quantise.ts';
import { weightedGrid } from './weighted-grid.ts';

function error(weights: Float32Array, importance: Float64Array, grid: Grid): number {
  return weights.reduce(
    (sum, weight, index) =>
      sum + (importance[index] ?? 0) * (weight - grid.scale * (code(weight, grid, 4) - grid.zeroPoint)) ** 2,
    0,
  );
}

/** Blocks of 32 normal numbers, and importances over four orders of magnitude. */
function blocks(count: number): { readonly weights: Float32Array; readonly importance: Float64Array }[] {
  const random = seededRandom(3);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Array.from({ length: count }, () => ({
    weights: Float32Array.from({ length: 32 }, normal),
    importance: Float64Array.from({ length: 32 }, () => 10 ** (4 * random() - 2)),
  }));
}

describe('weightedGrid', () => {
  test('errs less where it counts than the grid that knows no importance, and little more than an exhaustive search', () => {
    let [plain, weighted, best] = [0, 0, 0];
    for (const { weights, importance } of blocks(40)) {
      plain += error(weights, importance, blockGrid(weights, 4));
      weighted += error(weights, importance, weightedGrid(weights, importance, 4));
      const range = Math.max(...weights) - Math.min(...weights);
      const every = Array.from({ length: 16 * 200 }, (_, index) =>
        error(weights, importance, {
          scale: (range / 15) * (0.3 + (index % 200) / 200),
          zeroPoint: Math.floor(index / 200),
        }),
      );
      best += Math.min(...every);
    }
    expect(weighted).toBeLessThan(0.75 * plain);
    expect(weighted).toBeLessThan(1.25 * best);
  });

  test('keeps a block that lies on a grid, and rounds zeros to zero', () => {
    const weights = Float32Array.from({ length: 32 }, (_, index) => 0.25 * ((index % 16) - 5));
    const importance = new Float64Array(32).fill(1);
    expect(weightedGrid(weights, importance, 4)).toEqual({ scale: 0.25, zeroPoint: 5 });
    const grid = weightedGrid(new Float32Array(32), importance, 4);
    expect(code(0, grid, 4)).toBe(grid.zeroPoint);
  });

  test('importances of zero decide nothing and break nothing', () => {
    const { weights } = blocks(1)[0] ?? { weights: new Float32Array(32) };
    const { scale } = weightedGrid(weights, new Float64Array(32), 4);
    expect(scale).toBeGreaterThan(0);
  });
});
