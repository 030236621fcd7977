import { expect, test } from 'vitest';
import { calibrationOf, mixedCalibration } from './calibration.ts';

const text = {
  tokenIds: Int32Array.from({ length: 80 }, (_, id) => id),
  source: 'text',
  sha256: 'a',
  length: 8,
  seed: 0,
};
const own = {
  windows: Array.from({ length: 6 }, (_, window) => new Int32Array(8).fill(100 + window)),
  calibration: { source: 'own', sha256: 'b', seed: 0 },
};
const firsts = (windows: readonly ArrayLike<number>[]) => windows.map((window) => window[0]);

test('half of the windows are drawn by seed from those that are given beside a text', async () => {
  const { windows, calibration } = await mixedCalibration(own, text, { most: 8 });
  expect(firsts(windows.slice(0, 4))).toEqual(firsts(calibrationOf(text, { most: 4 }).windows));
  const drawn = firsts(windows.slice(4));
  expect(new Set(drawn).size).toBe(4);
  expect(drawn.every((id) => Number(id) >= 100)).toBe(true);
  expect(calibration).toMatchObject({ source: 'text + own', seed: 0 });
  const again = await mixedCalibration(own, text, { most: 8 });
  expect(again).toEqual({ windows, calibration });
  const other = await mixedCalibration(own, { ...text, seed: 5 }, { most: 8 });
  expect(firsts(other.windows)).not.toEqual(firsts(windows));
});

test('where there are fewer than half, the text has more', async () => {
  const { windows } = await mixedCalibration({ ...own, windows: own.windows.slice(0, 2) }, text, { most: 8 });
  expect(windows).toHaveLength(8);
  expect(firsts(windows.slice(6))).toEqual([100, 101]);
});

test('windows that were asked for and are not there are told', async () => {
  await expect(mixedCalibration(own, text, { count: 40 })).rejects.toThrow('34 windows of 8 tokens were asked for');
});
