import { describe, expect, it } from 'vitest';
import { createRandom } from '../../random.ts';
import { medianEstimate, midmean, pairedRatio } from './paired-ratio.ts';

describe('pairedRatio', () => {
  it('gives the interval of the published table for signed ranks', () => {
    // Hollander, Wolfe and Chicken, table of the signed-rank statistic: for 10 pairs the 9th least and 9th greatest of 55 averages bound 95.1%.
    const values = [0.3, -1.2, 0.8, 1.9, 0.1, 0.7, 1.1, -0.4, 2.2, 0.5];
    const means = values
      .flatMap((first, index) => values.slice(index).map((second) => (first + second) / 2))
      .sort((a, b) => a - b);
    const { value, low, high } = pairedRatio(values, 0.95);
    expect(Math.log(low)).toBeCloseTo(means[8] ?? Number.NaN, 12);
    expect(Math.log(high)).toBeCloseTo(means[46] ?? Number.NaN, 12);
    expect(Math.log(value)).toBeCloseTo(means[27] ?? Number.NaN, 12);
  });

  it('excludes nothing with too few pairs', () => {
    const five = [0.1, 0.1, 0.1, 0.1, 0.1];
    expect(pairedRatio(five, 0.95)).toMatchObject({ low: 0, high: Number.POSITIVE_INFINITY });
    expect(pairedRatio([...five, 0.1], 0.95).low).toBeCloseTo(Math.exp(0.1), 12);
  });

  it('turns round with the pairs', () => {
    const values = [0.3, -0.2, 0.1, 0.4, 0.2, 0.15, 0.22, 0.05];
    const [there, back] = [
      pairedRatio(values, 0.95),
      pairedRatio(
        values.map((value) => -value),
        0.95,
      ),
    ];
    expect(back.value).toBeCloseTo(1 / there.value, 12);
    expect(back.low).toBeCloseTo(1 / there.high, 12);
  });

  it('stays where most of the pairs are when some are far off', () => {
    const pairs = [0.1, 0.11, 0.09, 0.1, 0.12, 0.08, 0.1, 0.1, 5, 7];
    expect(Math.log(pairedRatio(pairs, 0.95).value)).toBeCloseTo(0.1, 1);
  });

  it('holds the true ratio as often as it says, whatever the tails', () => {
    const random = createRandom(7);
    for (const noise of [
      random.normal,
      () => random.normal() / Math.max(0.05, Math.abs(random.normal())),
      () => random.uniform() - random.uniform(),
    ]) {
      let held = 0;
      for (let run = 0; run < 1000; run += 1) {
        const { low, high } = pairedRatio(
          Array.from({ length: 12 }, () => 0.2 + 0.1 * noise()),
          0.95,
        );
        if (Math.log(low) <= 0.2 && 0.2 <= Math.log(high)) held += 1;
      }
      expect(held / 1000).toBeGreaterThan(0.93);
      expect(held / 1000).toBeLessThan(0.985);
    }
  });
});

describe('medianEstimate', () => {
  it('is bounded by the order statistics of the sign test', () => {
    // 10 values: the chance that the median lies outside the 2nd to the 9th is 2 * 11 / 1024, outside the 3rd to the 8th above 5%.
    expect(medianEstimate([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], 0.95)).toEqual({ value: 5.5, low: 2, high: 9 });
  });

  it('spans all values where there are too few for the confidence', () => {
    expect(medianEstimate([3, 1, 2], 0.95)).toEqual({ value: 2, low: 1, high: 3 });
  });
});

describe('midmean', () => {
  it('averages the middle half', () => {
    expect(midmean([100, 1, 2, 3, 4, 5, 6, -100])).toBe(3.5);
    expect(midmean([2])).toBe(2);
  });
});
