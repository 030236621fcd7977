import { describe, expect, it } from 'vitest';
import { syntheticScores } from '../importance/testing/synthetic-scores.ts';
import { makePlan } from './make-plan.ts';
import { reached, reachedSentence } from './reached.ts';

const synthetic = syntheticScores({ layers: 3, attentionGroups: 4, neurons: 64 });
const scores = {
  ...synthetic,
  model: {
    ...synthetic.model,
    parameters: synthetic.model.parameters + 1000 * 64,
    config: { ...synthetic.model.config, vocab_size: 1000, hidden_size: 64, head_dim: 16 },
  },
};

describe('what a plan did to reach its target', () => {
  it('is weights and cache within the memory that was asked for', () => {
    const whole = reached(scores, makePlan(scores, { target: { kind: 'ratio', value: 0 }, dtype: 'q4' }));
    const cache = 2 * 16 * 2048 * 12 * 4;
    const value = Math.round(0.8 * (whole.weightBytes + cache));
    const plan = makePlan(scores, { target: { kind: 'memory', value, context: 2048 }, dtype: 'q4' });
    const found = reached(scores, plan);
    expect(found.weightBytes + (found.cacheBytes ?? 0)).toBeLessThanOrEqual(value);
    expect(found.weightBytes + (found.cacheBytes ?? 0)).toBeGreaterThan(0.8 * value);
    expect(reachedSentence(found, plan)).toMatch(
      /^At most [\d.]+ MB in q4 with 2,048 tokens of context: about [\d.]+ MB of weights and [\d.]+ MB of cache are left, \d+ of 12 attention groups, \d+ of 192 neurons and 1,000 of 1,000 tokens of the vocabulary stay\.$/,
    );
  });

  it('counts the vocabulary that went', () => {
    const target = { kind: 'parameters', value: scores.model.parameters - 40_000 } as const;
    const plan = makePlan(scores, { target, vocabulary: '0.5' });
    const found = reached(scores, plan);
    expect(found.tokens).toEqual({ kept: 500, all: 1000 });
    expect(found.cacheBytes).toBeUndefined();
    expect(reachedSentence(found, plan)).toContain('500 of 1,000 tokens of the vocabulary stay.');
  });
});
