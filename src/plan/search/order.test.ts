import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ascendingOrder } from './order.ts';

const byComparison = (list: readonly number[]) =>
  list
    .map((_, i) => i)
    .sort((a, b) => (list[a] === list[b] ? a - b : (list[a] as number) < (list[b] as number) ? -1 : 1));

describe('ascendingOrder', () => {
  it('sorts as a stable comparison sort does, ties in their order', () => {
    const special = fc.constantFrom(
      0,
      -0,
      1,
      -1,
      1e-300,
      5e-324,
      -5e-324,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.double({ noNaN: true }), special), { maxLength: 600 }), (list) => {
        expect([...ascendingOrder(Float64Array.from(list))]).toEqual(byComparison(list));
      }),
    );
  });

  it('tells numbers apart that differ in their last bits alone', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 200 }),
        fc.constantFrom(1, -1, 1e-200),
        (steps, scale) => {
          const list = steps.map((step) => scale * (1 + step * Number.EPSILON));
          expect([...ascendingOrder(Float64Array.from(list))]).toEqual(byComparison(list));
        },
      ),
    );
  });
});
