import { describe, expect, it } from 'vitest';
import { formatImportance, NORMALISATIONS, normalisedScale } from './normalise.ts';

const values = Float32Array.from({ length: 1001 }, (_, index) => 10 ** (index / 250 - 2));

describe('normalisedScale', () => {
  it.each(NORMALISATIONS)('%s is monotone, stays in 0 … 1 and names its ends', (kind) => {
    const scale = normalisedScale(kind, [values.slice(0, 400), values.slice(400)]);
    const positions = [...values].map((value) => scale.position(value));
    for (let index = 1; index < positions.length; index += 1)
      expect(positions[index]).toBeGreaterThanOrEqual(positions[index - 1] ?? 0);
    expect(positions[0]).toBeGreaterThanOrEqual(0);
    expect(positions.at(-1)).toBe(1);
    expect(scale.ticks.map(({ position }) => position)).toEqual([0, 0.25, 0.5, 0.75, 1]);
  });

  it('puts the middle of a log scale at the geometric mean', () => {
    const scale = normalisedScale('log', [values]);
    const [low, high] = scale.domain;
    expect(scale.position(Math.sqrt(low * high))).toBeCloseTo(0.5, 10);
  });

  it('stays finite when all values are equal or zero', () => {
    for (const kind of NORMALISATIONS)
      for (const value of [0, 3])
        expect(Number.isFinite(normalisedScale(kind, [new Float32Array(8).fill(value)]).position(value))).toBe(true);
  });
});

describe('formatImportance', () => {
  it.each([
    [0, '0'],
    [0.123456, '0.123'],
    [12.5, '12.5'],
    [0.000123, '1.23e-4'],
    [45678, '4.57e4'],
  ])('%f is %s', (value, text) => expect(formatImportance(value)).toBe(text));
});
