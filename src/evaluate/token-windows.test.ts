import { expect, test } from 'vitest';
import { UsageError } from '../errors.ts';
import { tokenWindows } from './token-windows.ts';

test('evaluation windows follow each other, and the partial last one is dropped', () => {
  expect(tokenWindows([1, 2, 3, 4, 5, 6, 7], { length: 3 })).toEqual([Int32Array.of(1, 2, 3), Int32Array.of(4, 5, 6)]);
  expect(tokenWindows([1, 2], { length: 2 }).length).toBe(1);
});

test('calibration windows are drawn without replacement, by seed', () => {
  const ids = Array.from({ length: 1005 }, (_, i) => i);
  const starts = (seed: number) =>
    tokenWindows(ids, { length: 10, count: 20, seed }).map((window) => window[0] as number);
  expect(starts(0)).toEqual(starts(0));
  expect(starts(0)).not.toEqual(starts(1));
  expect(starts(5)).toEqual([...starts(5)].sort((a, b) => a - b));
  expect(new Set(starts(5)).size).toBe(20);
  for (const start of starts(5)) expect(start % 10).toBe(0);
  expect(tokenWindows(ids, { length: 10, count: 100, seed: 3 })).toEqual(tokenWindows(ids, { length: 10 }));
});

test('every window is drawn equally often', () => {
  const ids = new Int32Array(14);
  ids.forEach((_, i) => {
    ids[i] = i;
  });
  const counts = new Float64Array(7);
  for (let seed = 0; seed < 7000; seed += 1) {
    for (const window of tokenWindows(ids, { length: 2, count: 3, seed }))
      counts[(window[0] as number) / 2] = (counts[(window[0] as number) / 2] ?? 0) + 1;
  }
  for (const count of counts) expect(Math.abs(count - 3000)).toBeLessThan(150);
});

test('impossible windows are refused with the numbers', () => {
  expect(() => tokenWindows([1, 2, 3], { length: 4 })).toThrow(
    'The text has 3 tokens, shorter than one window of 4. Give a longer text or a shorter window.',
  );
  expect(() => tokenWindows([1, 2, 3, 4], { length: 2, count: 3, seed: 0 })).toThrow(
    /3 windows of 2 tokens .* enough for 2/,
  );
  for (const length of [0, 1, 1.5, Number.NaN]) expect(() => tokenWindows([1, 2], { length })).toThrow(UsageError);
  for (const count of [0, -1, 0.5])
    expect(() => tokenWindows([1, 2], { length: 2, count, seed: 0 })).toThrow(UsageError);
});
