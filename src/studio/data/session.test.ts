import { expect, it } from 'vitest';
import { mergedEntries } from './session.ts';

it('keeps what another tab measured beside what this one did', () => {
  const stored = [
    [['measured', 'perplexity', 0.2], { perplexity: 5 }],
    [['measured', 'perplexity', 0.3], { perplexity: 7 }],
  ] as const;
  const own = [
    [['measured', 'perplexity', 0.2], { perplexity: 5.5 }],
    [['measured', 'perplexity', 0.5], { perplexity: 9 }],
  ] as const;
  expect(mergedEntries(stored, own)).toEqual([stored[1], own[0], own[1]]);
});
