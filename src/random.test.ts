import { expect, test } from 'vitest';
import { createRandom, sampleWithoutReplacement, seededRandom } from './random.ts';

test('the same seed gives the same numbers, another seed others', () => {
  const draw = (seed: number) => Array.from({ length: 5 }, seededRandom(seed));
  expect(draw(1)).toEqual(draw(1));
  expect(draw(1)).not.toEqual(draw(2));
  expect(new Set([0, 1, 2, 3, -1, 2 ** 31].map((seed) => draw(seed)[0])).size).toBe(6);
});

test('numbers are uniform in [0, 1) and do not follow from each other', () => {
  const random = seededRandom(7);
  const buckets = new Float64Array(10);
  let product = 0;
  let previous = 0.5;
  const draws = 100_000;
  for (let i = 0; i < draws; i += 1) {
    const x = random();
    if (!(x >= 0 && x < 1)) throw new Error(`${x} is not in [0, 1)`);
    buckets[Math.floor(x * 10)] = (buckets[Math.floor(x * 10)] ?? 0) + 1;
    product += (x - 0.5) * (previous - 0.5);
    previous = x;
  }
  const chiSquared = buckets.reduce((sum, n) => sum + (n - draws / 10) ** 2 / (draws / 10), 0);
  expect(chiSquared).toBeLessThan(27.9); // 9 degrees of freedom, p = 0.001
  expect(Math.abs((product / draws) * 12)).toBeLessThan(0.011); // correlation, 3.5 standard errors
});

test('a sample without replacement has different members, each equally often', () => {
  const random = seededRandom(3);
  const counts = new Float64Array(7);
  for (let i = 0; i < 7000; i += 1) {
    const sample = sampleWithoutReplacement(7, 3, random);
    expect(new Set(sample).size).toBe(3);
    for (const member of sample) counts[member] = (counts[member] ?? 0) + 1;
  }
  for (const n of counts) expect(Math.abs(n - 3000)).toBeLessThan(150);
  expect(sampleWithoutReplacement(5, 5, random).sort()).toEqual([0, 1, 2, 3, 4]);
  expect(sampleWithoutReplacement(2 ** 40, 2, random).length).toBe(2);
  expect(() => sampleWithoutReplacement(3, 4, random)).toThrow(RangeError);
});

test('normal numbers have mean 0, variance 1 and normal tails', () => {
  const random = createRandom(5);
  const draws = Float64Array.from({ length: 100_000 }, () => random.normal());
  const mean = draws.reduce((sum, x) => sum + x, 0) / draws.length;
  const variance = draws.reduce((sum, x) => sum + (x - mean) ** 2, 0) / draws.length;
  expect(Math.abs(mean)).toBeLessThan(0.011);
  expect(Math.abs(variance - 1)).toBeLessThan(0.016);
  expect(Math.abs(draws.filter((x) => Math.abs(x) > 1.96).length / draws.length - 0.05)).toBeLessThan(0.0025);
  expect([...new Set(Array.from({ length: 1000 }, () => random.integer(5)))].sort()).toEqual([0, 1, 2, 3, 4]);
});
