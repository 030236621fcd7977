import { describe, expect, it } from 'vitest';
import { UsageError } from '../../errors.ts';
import { groupTable } from '../../importance/structures/group-table.ts';
import { syntheticScores } from '../../importance/testing/synthetic-scores.ts';
import { makePlan } from '../make-plan.ts';
import { keptTokens, withVocabulary } from './vocabulary.ts';

const HIDDEN = 64;
const TOKENS = 1000;
const synthetic = syntheticScores({ layers: 3, attentionGroups: 4, neurons: 64 });
const prunable = groupTable(synthetic.groups).parameters;
/** A tied embedding and little else beside the groups. */
const scores = {
  ...synthetic,
  model: {
    ...synthetic.model,
    parameters: prunable + TOKENS * HIDDEN + HIDDEN,
    config: { ...synthetic.model.config, vocab_size: TOKENS, hidden_size: HIDDEN },
  },
};

describe('the vocabulary that a recipe keeps', () => {
  it('is a number of tokens, a share of them, or not known before texts are read', () => {
    expect(['300', '0.25', 'seen', '5000', undefined].map((keep) => keptTokens(keep, TOKENS))).toEqual([
      300, 250, 1000, 1000, 1000,
    ]);
  });

  it('takes rows of the embedding, and of an output matrix of its own', () => {
    const tied = withVocabulary(scores.model, '400', prunable);
    expect(tied.parameters).toBe(scores.model.parameters - 600 * HIDDEN);
    expect(tied.config.vocab_size).toBe(400);
    const both = { ...scores.model, parameters: scores.model.parameters + TOKENS * HIDDEN };
    expect(withVocabulary(both, '400', prunable).parameters).toBe(both.parameters - 2 * 600 * HIDDEN);
  });

  it('is spent for a target in parameters: fewer groups go for it', () => {
    const target = { kind: 'parameters', value: scores.model.parameters - 600 * HIDDEN } as const;
    const whole = makePlan(scores, { target });
    const half = makePlan(scores, { target, vocabulary: '0.5' });
    expect(half.ratio).toBeGreaterThan(0);
    expect(half.ratio).toBeLessThan(whole.ratio);
    for (const plan of [whole, half]) expect(plan.parametersAfter).toBeLessThanOrEqual(target.value);
    // To within a group of what was asked for.
    expect(half.parametersAfter).toBeGreaterThan(target.value - 4 * HIDDEN * HIDDEN);
    expect(half.parametersBefore).toBe(scores.model.parameters);
  });

  it('may meet a target alone, and then no group goes', () => {
    const target = { kind: 'parameters', value: scores.model.parameters - 100 * HIDDEN } as const;
    const plan = makePlan(scores, { target, vocabulary: '0.5' });
    expect(plan.ratio).toBe(0);
    expect(plan.parametersAfter).toBe(scores.model.parameters - 500 * HIDDEN);
    const more = { kind: 'parameters', value: scores.model.parameters + 1 } as const;
    expect(() => makePlan(scores, { target: more, vocabulary: '0.5' })).toThrow(UsageError);
  });

  it('changes nothing of which groups a ratio removes', () => {
    const target = { kind: 'ratio', value: 0.3 } as const;
    expect(makePlan(scores, { target, vocabulary: '0.5' }).layers).toEqual(makePlan(scores, { target }).layers);
  });

  it('is refused when it is no size', () => {
    const target = { kind: 'ratio', value: 0.3 } as const;
    expect(() => makePlan(scores, { target, vocabulary: 'auto' })).toThrow('vocabulary is "auto"; it must be a number');
  });
});
