import { describe, expect, it } from 'vitest';
import {
  formatBytes,
  formatChange,
  formatCount,
  formatPercent,
  formatPerplexity,
  formatSeconds,
  formatSpeedEstimate,
  formatSpeedRatio,
} from './format.ts';

describe('numbers for people', () => {
  it.each([
    [formatCount(640), '640'],
    [formatCount(9999), '9,999'],
    [formatCount(12_345), '12.3 k'],
    [formatCount(6_400_000), '6.40 M'],
    [formatCount(7_240_000_000), '7.24 B'],
    [formatBytes(900), '900 B'],
    [formatBytes(12_800_000), '12.8 MB'],
    [formatBytes(2_500_000_000), '2.50 GB'],
    [formatPerplexity(8.314), '8.31'],
    [formatPerplexity(43.28), '43.3'],
    [formatPerplexity(5412.2), '5,412'],
    [formatPercent(0.2), '20%'],
    [formatPercent(0.125), '12.5%'],
    [formatPercent(0.19996), '20%'],
    [formatChange(9, 10), '−10%'],
    [formatChange(10.5, 10), '+5%'],
    [formatSpeedEstimate({ value: 812.4, low: 790, high: 1030 }), '812 (790–1,030)'],
    [formatSpeedRatio({ value: 1.123, low: 1.08, high: 1.161 }), '×1.12 (1.08–1.16)'],
    [formatSpeedRatio({ value: 1.02, low: 0.97, high: 1.06 }), 'no difference measured (0.97–1.06)'],
    [formatSpeedRatio({ value: 2, low: 0, high: Number.POSITIVE_INFINITY }), 'too slow to compare in the time'],
    [formatSeconds(0.84), '840 ms'],
    [formatSeconds(3.24), '3.2 s'],
    [formatSeconds(125), '2 min 5 s'],
  ])('%s', (made, expected) => expect(made).toBe(expected));
});
