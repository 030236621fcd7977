import { describe, expect, it } from 'vitest';
import { summarise } from './perplexity.ts';

describe('the summary of window losses', () => {
  it('is the perplexity of their mean, with its standard error by the delta method', () => {
    const summary = summarise([1, 2, 3, 6], 11);
    // The sample variance of the losses is 14 / 3, that of their mean a quarter of it; d exp(x) = exp(x) dx.
    expect(summary.loss).toBe(3);
    expect(summary.perplexity).toBeCloseTo(Math.exp(3), 12);
    expect(summary.standardError).toBeCloseTo(Math.exp(3) * Math.sqrt(14 / 3 / 4), 12);
    expect(summary).toMatchObject({ tokens: 40, window: 11, windows: 4, windowLosses: [1, 2, 3, 6] });
  });

  it('has no spread to tell of with one window', () => {
    expect(summarise([2], 5)).toMatchObject({ perplexity: Math.exp(2), standardError: 0, tokens: 4 });
  });
});
