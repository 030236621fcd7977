import { describe, expect, it } from 'vitest';
import { knownCurve, valueOn } from './known-curve.ts';
import { pairedFactor } from './paired.ts';

const measured = (values: Record<number, number>) =>
  Object.entries(values).map(([ratio, value]) => ({ ratio: Number(ratio), value, error: 0.2 }));
const shipped = [
  { ratio: 0, value: 4 },
  { ratio: 0.2, value: 5 },
  { ratio: 0.4, value: 8 },
];

describe('the known curve', () => {
  it('is what is shipped before anything is measured', () => {
    const curve = knownCurve([], shipped, undefined);
    expect(valueOn(curve, 0.2)).toEqual({ value: 5, error: undefined, source: 'shipped' });
    expect(valueOn(curve, 0.3)?.source).toBe('estimate');
    expect(valueOn(curve, 0.5)).toBeUndefined();
  });

  it('takes own points in the place of shipped ones, and moves the others by the factor between the dense models', () => {
    const curve = knownCurve(measured({ 0: 6, 0.2: 7 }), shipped, undefined);
    expect(curve.points.map(({ ratio, value, source }) => [ratio, value, source])).toEqual([
      [0, 6, 'own'],
      [0.2, 7, 'own'],
      [0.4, 12, 'shipped'],
    ]);
    expect(valueOn(curve, 0.2)).toEqual({ value: 7, error: 0.2, source: 'own' });
  });

  it('stays what it was for the recipe before until the new one has two points', () => {
    const before = knownCurve(measured({ 0: 4, 0.5: 9 }), [], undefined);
    const stale = knownCurve(measured({ 0: 4 }), [], before);
    expect(stale.isStale).toBe(true);
    expect(valueOn(stale, 0.5)?.source).toBe('stale');
    expect(valueOn(stale, 0.25)?.source).toBe('stale');
    const own = knownCurve(measured({ 0: 4, 0.2: 6 }), [], before);
    expect(own.isStale).toBe(false);
    expect(valueOn(own, 0.2)?.source).toBe('own');
  });
});

describe('the paired factor', () => {
  const of = (windowLosses: readonly number[] | undefined) => ({
    ...{ perplexity: 4, standardError: 0.2, tokens: 127, windows: 3, seconds: 1 },
    windowLosses,
  });

  it('cancels what makes a window hard', () => {
    const paired = pairedFactor(of([1, 2, 3]), of([1.1, 2.1, 3.1]));
    expect(paired?.factor).toBeCloseTo(Math.exp(0.1), 12);
    expect(paired?.error).toBeCloseTo(0, 12);
    const noisy = pairedFactor(of([1, 2, 3]), of([1.1, 2.2, 3.3]));
    expect(noisy?.error).toBeCloseTo(Math.exp(0.2) * (0.1 / Math.sqrt(3)), 12);
  });

  it('is not made of windows that are unknown or others', () => {
    expect(pairedFactor(of(undefined), of([1, 2]))).toBeUndefined();
    expect(pairedFactor(of([1, 2, 3]), of([1, 2]))).toBeUndefined();
    expect(pairedFactor(of([1]), of([1]))).toBeUndefined();
  });
});
