import { describe, expect, test } from 'vitest';
import { seededRandom } from '../random.ts';
import { dequantiseBlocks } from './dequantise.ts';
import { quantiseBlocks } from './quantise.ts';

function randomMatrix(rows: number, columns: number, seed: number, spread = (_index: number) => 1): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length: rows * columns }, (_, index) => (2 * random() - 1) * spread(index));
}

const meanSquare = (a: Float32Array, b: Float32Array) =>
  a.reduce((sum, value, index) => sum + (value - (b[index] as number)) ** 2, 0) / a.length;

describe('quantiseBlocks', () => {
  for (const bits of [4, 8] as const) {
    for (const columns of [64, 50, 7]) {
      test(`${bits} bits, ${columns} columns: every weight comes back within half a step of its block`, () => {
        const rows = 5;
        const matrix = randomMatrix(rows, columns, bits + columns, (index) => 1 + (index % 3));
        const quantised = quantiseBlocks(matrix, columns, bits, 32);
        const back = dequantiseBlocks(quantised, columns, bits, 32);
        const blocks = Math.ceil(columns / 32);
        expect(quantised.values.length).toBe((rows * blocks * 32 * bits) / 8);
        expect(quantised.zeroPoints.length).toBe(rows * Math.ceil((blocks * bits) / 8));
        matrix.forEach((value, index) => {
          const [row, column] = [Math.floor(index / columns), index % columns];
          const step = quantised.scales[row * blocks + Math.floor(column / 32)] as number;
          // Narrowed ranges clip at 4 bits: up to a fifth of seven steps more.
          expect(Math.abs(value - (back[index] as number))).toBeLessThanOrEqual(step * (bits === 8 ? 0.51 : 4.5));
        });
      });
    }
  }

  test('zero is exact, and constant blocks are', () => {
    for (const value of [0, 0.25, -3]) {
      const matrix = new Float32Array(64).fill(value);
      for (const bits of [4, 8] as const) {
        const back = dequantiseBlocks(quantiseBlocks(matrix, 64, bits, 32), 64, bits, 32);
        back.forEach((found) => {
          expect(found).toBeCloseTo(value, 6);
        });
      }
    }
    const sparse = randomMatrix(1, 32, 1).map((value, index) => (index % 2 ? value : 0));
    const back = dequantiseBlocks(quantiseBlocks(sparse, 32, 4, 32), 32, 4, 32);
    back.forEach((found, index) => {
      if (index % 2 === 0) expect(found).toBe(0);
    });
  });

  test('narrowing the range of 4 bits lowers the error where a few weights are far out', () => {
    const matrix = randomMatrix(40, 32, 9, (index) => (index % 32 === 3 ? 4 : 1));
    const found = dequantiseBlocks(quantiseBlocks(matrix, 32, 4, 32), 32, 4, 32);
    const plain = matrix.map((value, index) => {
      const block = matrix.subarray(index - (index % 32), index - (index % 32) + 32);
      const [low, high] = [Math.min(0, ...block), Math.max(0, ...block)];
      const step = (high - low) / 15;
      return (Math.round(value / step) + Math.round(-low / step) - Math.round(-low / step)) * step;
    });
    expect(meanSquare(matrix, found)).toBeLessThan(meanSquare(matrix, plain));
  });

  test('weights too small for a step become zero, not NaN', () => {
    const back = dequantiseBlocks(quantiseBlocks(new Float32Array(32).fill(1e-45), 32, 4, 32), 32, 4, 32);
    expect([...back].every((value) => value === 0)).toBe(true);
  });
});
