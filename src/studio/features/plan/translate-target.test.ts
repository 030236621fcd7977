import { describe, expect, it } from 'vitest';
import { syntheticScores } from '../../../importance/testing/synthetic-scores.ts';
import { makePlan } from '../../../plan/make-plan.ts';
import type { Plan } from '../../../plan/plan.ts';
import { planSummary } from './plan-outcome.ts';
import { translateTarget, withContext } from './translate-target.ts';

const plain = syntheticScores({ layers: 4, attentionGroups: 4, neurons: 256 });
const config = {
  ...plain.model.config,
  head_dim: 16,
  hidden_size: 64,
  num_attention_heads: 4,
  vocab_size: 100,
  max_position_embeddings: 256,
};
const scores = { ...plain, model: { ...plain.model, config } };

describe('a target in another unit', () => {
  const plan = makePlan(scores, { target: { kind: 'ratio', value: 0.3 } });
  const summary = planSummary(scores, plan);

  it.each(['ratio', 'parameters', 'bytes', 'memory'] as const)('asks in %s for what the plan at hand gives', (kind) => {
    const target = translateTarget(kind, plan, summary, plan.ratio);
    if (!target) throw new Error('There is a plan to translate with.');
    const again = makePlan(scores, { target });
    const size = (of: Plan) => {
      const { bytesAfter, cacheAfter } = planSummary(scores, of);
      return target.kind === 'memory' ? bytesAfter + cacheAfter(target.context) : of.parametersAfter;
    };
    expect(Math.abs(size(again) / size(plan) - 1)).toBeLessThan(0.02);
  });

  it('waits for a plan, and keeps the context of a target in memory', () => {
    expect(translateTarget('memory', undefined, undefined, 0.2)).toBeUndefined();
    const first = translateTarget('memory', plan, summary, 0.3);
    if (first?.kind !== 'memory') throw new Error('A target in memory was asked for.');
    const held = makePlan(scores, { target: { ...first, context: 200 } });
    expect(translateTarget('memory', held, planSummary(scores, held), 0.3)).toMatchObject({ context: 200 });
  });

  it('keeps the same groups in reach when the context changes', () => {
    const target = translateTarget('memory', plan, summary, 0.3);
    if (target?.kind !== 'memory') throw new Error('A target in memory was asked for.');
    const shorter = withContext(target, 16, summary);
    expect(shorter.value).toBeLessThan(target.value);
    expect(makePlan(scores, { target: shorter }).ratio).toBeCloseTo(0.3, 1);
  });

  it('never asks for less than nothing', () => {
    expect(withContext({ kind: 'memory', value: 10, context: 256 }, 1, summary).value).toBe(0);
  });

  it('leaves a missing head size to the planner', () => {
    const headless = { ...plain, model: { ...plain.model, config: {} } };
    const target = translateTarget('memory', plan, planSummary(headless, plan), 0.3);
    expect(target?.kind).toBe('memory');
    expect(() => makePlan(headless, { target: target ?? { kind: 'ratio', value: 0 } })).toThrow(/head size/);
  });
});
