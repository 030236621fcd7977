import { expect, test } from 'vitest';
import { MismatchError } from '../errors.ts';
import { seededRandom } from '../random.ts';
import { regressionRepair } from './regression.ts';

const [OUTPUTS, INPUTS, TOKENS] = [3, 6, 40];
const KEPT = [0, 2, 3];
const random = seededRandom(11);
const inputs = Array.from({ length: TOKENS }, () => Array.from({ length: INPUTS }, () => random() + 0.3));
const weight = Float32Array.from({ length: OUTPUTS * INPUTS }, () => random() - 0.5);
const statistics = {
  rows: TOKENS,
  sum: Float64Array.from({ length: INPUTS }, (_, j) => inputs.reduce((sum, x) => sum + (x[j] ?? 0), 0)),
  product: Float64Array.from({ length: INPUTS ** 2 }, (_, at) =>
    inputs.reduce((sum, x) => sum + (x[Math.floor(at / INPUTS)] ?? 0) * (x[at % INPUTS] ?? 0), 0),
  ),
};

/** The line through the points (x, y) by least squares, from the textbook's sums over points. */
function line(x: readonly number[], y: readonly number[]): { readonly slope: number; readonly intercept: number } {
  const n = x.length;
  const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
  const [sx, sy, sxx, sxy] = [total(x), total(y), total(x.map((v) => v * v)), total(x.map((v, i) => v * (y[i] ?? 0)))];
  const slope = (n * sxy - sx * sy) / (n * sxx - sx * sx);
  return { slope, intercept: (sy - slope * sx) / n };
}

test('each output is the line through what the kept channels give and what all give', () => {
  const { weight: repaired, shift } = regressionRepair(weight, OUTPUTS, INPUTS, statistics, KEPT);
  for (let output = 0; output < OUTPUTS; output++) {
    const of = (x: readonly number[], channels: readonly number[]) =>
      channels.reduce((sum, j) => sum + (x[j] ?? 0) * (weight[output * INPUTS + j] ?? 0), 0);
    const all = [0, 1, 2, 3, 4, 5];
    const { slope, intercept } = line(
      inputs.map((x) => of(x, KEPT)),
      inputs.map((x) => of(x, all)),
    );
    KEPT.forEach((j, i) => {
      expect(repaired[output * KEPT.length + i]).toBeCloseTo(slope * (weight[output * INPUTS + j] ?? 0), 5);
    });
    expect(shift[output]).toBeCloseTo(intercept, 5);
  }
});

test('an output without variance keeps its row, and takes the mean of what went', () => {
  const silent = { rows: 2, sum: Float64Array.of(0, 2), product: Float64Array.of(0, 0, 0, 2) };
  const { weight: repaired, shift } = regressionRepair(Float32Array.of(3, 4), 1, 2, silent, [0]);
  expect([...repaired, ...shift]).toEqual([3, 4]);
});

test('refuses statistics of other sizes', () => {
  expect(() => regressionRepair(weight, OUTPUTS, INPUTS, { ...statistics, product: undefined }, KEPT)).toThrow(
    MismatchError,
  );
});
