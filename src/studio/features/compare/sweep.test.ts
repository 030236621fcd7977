import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { estimateAt, estimateCurve } from './estimate.ts';
import { METHOD_RATIOS, ratioKey, SWEEP_RATIOS, sweepSteps } from './sweep.ts';

describe('estimateAt', () => {
  const measured = [
    { ratio: 0, value: 8 },
    { ratio: 0.2, value: 9 },
    { ratio: 0.5, value: 40 },
  ];

  it('meets every measured value and says nothing beyond them', () => {
    for (const { ratio, value } of measured) expect(estimateAt(measured, ratio)).toBeCloseTo(value, 10);
    expect(estimateAt(measured, 0.51)).toBeUndefined();
    expect(estimateAt(measured.slice(0, 1), 0)).toBeUndefined();
  });

  it('never leaves the values of its neighbours (property)', () => {
    const value = fc.double({ min: 1, max: 1000, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 2, maxLength: 8 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, share) => {
          const points = values.map((height, index) => ({ ratio: index, value: height }));
          const at = share * (values.length - 1);
          const estimate = estimateAt(points, at) ?? Number.NaN;
          const [a, b] = [values[Math.floor(at)] ?? 0, values[Math.ceil(at)] ?? 0];
          expect(estimate).toBeGreaterThanOrEqual(Math.min(a, b) * (1 - 1e-9));
          expect(estimate).toBeLessThanOrEqual(Math.max(a, b) * (1 + 1e-9));
        },
      ),
    );
  });

  it('draws a curve over the measured span only', () => {
    const curve = estimateCurve(measured);
    expect(curve[0]?.ratio).toBe(0);
    expect(curve.at(-1)?.ratio).toBe(0.5);
  });
});

describe('sweepSteps', () => {
  it('begins with what the reader looks at and the dense model', () => {
    const steps = sweepSteps(0.23, [], () => false);
    expect(steps.slice(0, 3)).toEqual([
      { ratio: 0.23, what: 'perplexity' },
      { ratio: 0, what: 'perplexity' },
      { ratio: 0.23, what: 'speed' },
    ]);
    expect(steps).toHaveLength(2 * (2 + SWEEP_RATIOS.length) - 1);
  });

  it('leaves out what is measured, and never asks twice for one ratio', () => {
    const steps = sweepSteps(0.2, [], ({ what }) => what === 'speed');
    expect(steps.map(({ ratio }) => ratio)).toEqual([0.2, 0, ...SWEEP_RATIOS.filter((ratio) => ratio !== 0.2)]);
  });

  it('measures other methods last, all at one ratio before the next', () => {
    const steps = sweepSteps(0.2, ['random', 'wanda'], () => false);
    const others = steps.filter(({ method }) => method !== undefined);
    expect(others).toHaveLength(2 * METHOD_RATIOS.length);
    expect(steps.slice(-others.length)).toEqual(others);
    expect(others.slice(0, 2)).toEqual([
      { ratio: 0.1, what: 'perplexity', method: 'random' },
      { ratio: 0.1, what: 'perplexity', method: 'wanda' },
    ]);
  });

  it('names ratios by tenths of a percent', () => {
    expect(ratioKey(0.20000000001)).toBe(0.2);
  });
});
