import fc from 'fast-check';
import { expect, test } from 'vitest';
import { UsageError } from '../errors.ts';
import { ratioForSpeed } from './speed-target.ts';

const curve = [
  { ratio: 0.4, times: 1.5 },
  { ratio: 0.2, times: 1.2 },
  { ratio: 0.6, times: 1.4 },
];

test('the ratio lies on the line between the two points around the speed', () => {
  expect(ratioForSpeed(curve, 1.1)).toBeCloseTo(0.1);
  expect(ratioForSpeed(curve, 1.35)).toBeCloseTo(0.3);
  expect(ratioForSpeed(curve, 1.5)).toBeCloseTo(0.4);
});

test('what the whole model does already removes nothing', () => {
  expect(ratioForSpeed(curve, 0.9)).toBe(0);
});

test('a speed beyond the fastest point is refused with what can be had', () => {
  expect(() => ratioForSpeed(curve, 2)).toThrow(UsageError);
  expect(() => ratioForSpeed(curve, 2)).toThrow('with 60% removed, is 1.50 times');
  expect(() => ratioForSpeed([], 1.1)).toThrow(UsageError);
});

test('who asks for more gets no smaller ratio, whatever noise the points have', () => {
  const points = fc.array(
    fc.record({
      ratio: fc.double({ min: 0.01, max: 0.9, noNaN: true }),
      times: fc.double({ min: 0.5, max: 3, noNaN: true }),
    }),
    { minLength: 1, maxLength: 6 },
  );
  fc.assert(
    fc.property(
      points,
      fc.double({ min: 1, max: 3, noNaN: true }),
      fc.double({ min: 1, max: 3, noNaN: true }),
      (given, a, b) => {
        const fastest = Math.max(1, ...given.map(({ times }) => times));
        const [less, more] = [Math.min(a, b, fastest), Math.min(Math.max(a, b), fastest)];
        expect(ratioForSpeed(given, less)).toBeLessThanOrEqual(ratioForSpeed(given, more) + 1e-9);
      },
    ),
  );
});
