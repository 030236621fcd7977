import { describe, expect, it } from 'vitest';
import { shippedMethod } from '../compare/use-shipped.ts';
import { INITIAL_RECIPE } from '../plan/slice.ts';
import { commonWords } from './sample.tsx';

describe('the beginning that two texts share', () => {
  it('ends with a word', () => {
    expect(commonWords('to the garden wall', 'to the gate')).toBe('to the'.length);
    expect(commonWords('to the', 'to the gate')).toBe('to the'.length);
    expect(commonWords('to', 'of')).toBe(0);
  });
});

describe('the method that a recipe is', () => {
  it('is known by name while all else is usual, whatever the target and the number format', () => {
    expect(shippedMethod(INITIAL_RECIPE)).toBe('saap');
    expect(shippedMethod({ ...INITIAL_RECIPE, dtype: 'q4', target: { kind: 'bytes', value: 1e6 }, protect: [] })).toBe(
      'saap',
    );
    expect(shippedMethod({ ...INITIAL_RECIPE, metric: 'magnitude-l2', search: 'uniform' })).not.toBe('saap');
  });

  it('is none once something was set', () => {
    expect(shippedMethod({ ...INITIAL_RECIPE, protect: [0] })).toBeUndefined();
    expect(shippedMethod({ ...INITIAL_RECIPE, compensate: 'bias' })).toBeUndefined();
    expect(shippedMethod({ ...INITIAL_RECIPE, gamma: 0.5 })).toBeUndefined();
  });
});
