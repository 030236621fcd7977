import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ascendingOrder } from './order.ts';

describe('ascendingOrder', () => {
  it('sorts as a stable comparison sort does, ties in their order', () => {
    const values = fc.array(fc.oneof(fc.double({ noNaN: true }), fc.constantFrom(0, -0, 1, 1e-300, Number.POSITIVE_INFINITY)), { maxLength: 600 });
    fc.assert(
      fc.property(values, (list) => {
        const expected = list.map((_, i) => i).sort((a, b) => (list[a] === list[b] ? a - b : (list[a] as number) < (list[b] as number) ? -1 : 1));
        expect([...ascendingOrder(Float64Array.from(list))]).toEqual(expected);
      }),
    );
  });
});
