import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VERIFIED_POSITIONS, verificationWindows } from './verification-windows.ts';

const total = (windows: readonly (readonly number[])[]) => windows.reduce((sum, window) => sum + window.length, 0);

test('always at least 256 positions, in windows that the model holds, of tokens that it has', () => {
  const texts = fc.array(fc.array(fc.nat(48), { maxLength: 300 }), { maxLength: 6 });
  fc.assert(
    fc.property(texts, fc.integer({ min: 1, max: 2048 }), (text, positions) => {
      const { windows, source } = verificationWindows(text, 49, positions);
      expect(total(windows)).toBeGreaterThanOrEqual(VERIFIED_POSITIONS);
      expect(
        windows.every(
          (window) => window.length >= 1 && window.length <= positions && window.every((id) => id >= 0 && id < 49),
        ),
      ).toBe(true);
      expect(source).toBe(total(text) >= VERIFIED_POSITIONS ? 'text' : 'drawn');
    }),
  );
});

test('text comes first and in order; what it lacks is drawn, the same every time', () => {
  const text = [Array.from({ length: 300 }, (_, index) => index)];
  expect(verificationWindows(text, 1000, 2048).windows.flat()).toEqual(text[0]?.slice(0, 256));
  const short = verificationWindows([[5, 6, 7]], 1000, 2048);
  expect(short.windows[0]).toEqual([5, 6, 7]);
  expect(total(short.windows)).toBe(256);
  expect(short).toEqual(verificationWindows([[5, 6, 7]], 1000, 2048));
});

test('what the model wrote is taken before tokens are drawn', () => {
  const written = Array.from({ length: 4 }, (_, window) =>
    Array.from({ length: 64 }, (_unused, at) => 64 * window + at),
  );
  const found = verificationWindows([[5, 6, 7]], 1000, 2048, written);
  expect(found.source).toBe('sampled');
  expect(found.windows.flat().slice(0, 6)).toEqual([5, 6, 7, 0, 1, 2]);
  expect(found.windows.flat().length).toBeGreaterThanOrEqual(VERIFIED_POSITIONS);
  expect(verificationWindows([], 1000, 2048, written.slice(1)).source).toBe('drawn');
});
