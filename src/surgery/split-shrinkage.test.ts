import { expect, test } from 'vitest';
import { createRandom } from '../random.ts';
import { type ProductSums, splitShrinkage } from './split-shrinkage.ts';

const SIZE = 24;
const random = createRandom(6);

/** Inputs with a common part of the given weight, some of them far out. */
function sums(samples: number, common: number): ProductSums {
  const product = new Float64Array(SIZE * SIZE);
  for (let sample = 0; sample < samples; sample++) {
    const scale = random.uniform() < 0.05 ? 6 : 1;
    const shared = common * random.normal();
    const x = Float64Array.from({ length: SIZE }, () => scale * (random.normal() + shared));
    for (let i = 0; i < SIZE; i++)
      for (let j = 0; j < SIZE; j++) product[i * SIZE + j] = (product[i * SIZE + j] ?? 0) + (x[i] ?? 0) * (x[j] ?? 0);
  }
  return { product, samples };
}

const total = ({ product: a, samples }: ProductSums, { product: b, samples: others }: ProductSums) =>
  a.map((value, at) => (value + (b[at] ?? 0)) / (samples + others));

test('is near the shrinkage that is best when the true products are known', () => {
  for (const common of [0.5, 1]) {
    const truth = sums(20_000, common);
    for (const samples of [60, 400]) {
      const halves = [sums(samples, common), sums(samples, common)] as const;
      const mean = total(...halves);
      let [products, squares] = [0, 0];
      for (let i = 0; i < SIZE; i++)
        for (let j = 0; j < i; j++) {
          const at = i * SIZE + j;
          products += ((mean[at] ?? 0) * (truth.product[at] ?? 0)) / truth.samples;
          squares += (mean[at] ?? 0) ** 2;
        }
      expect(Math.abs(splitShrinkage(...halves, SIZE) - (1 - products / squares))).toBeLessThan(0.25);
    }
  }
});

test('is small where the samples suffice, large where they say nothing, and 0 where nothing is carried', () => {
  expect(splitShrinkage(sums(4000, 1), sums(4000, 1), SIZE)).toBeLessThan(0.05);
  expect(splitShrinkage(sums(30, 0), sums(30, 0), SIZE)).toBeGreaterThan(0.7);
  const nothing = { product: new Float64Array(SIZE * SIZE), samples: 8 };
  expect(splitShrinkage(nothing, nothing, SIZE)).toBe(0);
});
