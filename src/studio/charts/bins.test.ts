import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { binEdges, binValues, descendingOrder, removedShares } from './bins.ts';

describe('binEdges', () => {
  it('covers every item once, with bins that differ by at most one item', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 900 }), (items, bins) => {
        const edges = [...binEdges(items, bins)];
        const sizes = edges.slice(1).map((edge, index) => edge - (edges[index] ?? 0));
        expect(edges[0]).toBe(0);
        expect(edges.at(-1)).toBe(items);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        expect(Math.min(...sizes)).toBeGreaterThanOrEqual(1);
      }),
    );
  });
});

describe('descendingOrder', () => {
  it('puts the largest first and keeps ties in place', () => {
    expect([...descendingOrder(Float32Array.of(1, 3, 2, 3))]).toEqual([1, 3, 2, 0]);
  });
});

describe('binValues', () => {
  it('gives mean and spread, in place and sorted', () => {
    const values = Float32Array.of(4, 0, 2, 6);
    const edges = binEdges(4, 2);
    expect(binValues(values, undefined, edges)).toEqual({
      mean: Float32Array.of(2, 4),
      min: Float32Array.of(0, 2),
      max: Float32Array.of(4, 6),
    });
    expect(binValues(values, descendingOrder(values), edges)).toEqual({
      mean: Float32Array.of(5, 1),
      min: Float32Array.of(4, 0),
      max: Float32Array.of(6, 2),
    });
  });
});

describe('removedShares', () => {
  it('counts what the plan does not keep', () => {
    const values = Float32Array.of(4, 0, 2, 6);
    expect([...removedShares([0, 3], 4, undefined, binEdges(4, 2))]).toEqual([0.5, 0.5]);
    expect([...removedShares([0, 3], 4, descendingOrder(values), binEdges(4, 2))]).toEqual([0, 1]);
  });
});
