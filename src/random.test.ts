import { describe, expect, test } from 'vitest';
import { createRandom } from './random.ts';

const take = (seed: number, count: number) => {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => random.uniform());
};

describe('createRandom', () => {
  test('one seed gives one sequence, another seed another', () => {
    expect(take(7, 100)).toEqual(take(7, 100));
    expect(take(7, 8)).not.toEqual(take(8, 8));
  });

  test('uniform numbers fill [0, 1) evenly, also across neighbouring seeds', () => {
    const bins = new Array<number>(16).fill(0);
    for (let seed = 0; seed < 2000; seed++) {
      for (const value of take(seed, 8)) {
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThan(1);
        bins[Math.floor(value * 16)] = (bins[Math.floor(value * 16)] ?? 0) + 1;
      }
    }
    const expected = 1000;
    const chiSquared = bins.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    // 99.9th percentile of chi squared with 15 degrees of freedom.
    expect(chiSquared).toBeLessThan(37.7);
  });

  test('normal numbers have mean 0 and variance 1', () => {
    const random = createRandom(3);
    const values = Array.from({ length: 20_000 }, () => random.normal());
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(Math.abs(variance - 1)).toBeLessThan(0.05);
  });

  test('integers stay below their bound', () => {
    const random = createRandom(1);
    const values = Array.from({ length: 1000 }, () => random.integer(6));
    expect(new Set(values)).toEqual(new Set([0, 1, 2, 3, 4, 5]));
  });
});
