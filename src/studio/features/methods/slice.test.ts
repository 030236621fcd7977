import { expect, it } from 'vitest';
import { numbersOf } from './slice.ts';

it('reads lists of numbers as people type them, and nothing else', () => {
  const isShare = (value: number) => value > 0 && value <= 80;
  expect(numbersOf('20, 50', isShare)).toEqual([20, 50]);
  expect(numbersOf(' 20;12.5  20 ', isShare)).toEqual([20, 12.5]);
  for (const wrong of ['', 'a', '20, b', '0', '90']) expect(numbersOf(wrong, isShare)).toBeUndefined();
});
