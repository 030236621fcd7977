import { describe, expect, it } from 'vitest';
import { syntheticScores } from '../../../importance/testing/synthetic-scores.ts';
import { makePlan } from '../../../plan/make-plan.ts';
import type { Plan } from '../../../plan/plan.ts';
import { planSummary } from './plan-outcome.ts';

const CONFIG = {
  model_type: 'llama',
  hidden_size: 32,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  num_hidden_layers: 2,
  intermediate_size: 10,
  vocab_size: 100,
  max_position_embeddings: 256,
};
const made = syntheticScores({
  layers: 2,
  attentionGroups: 2,
  neurons: 10,
  attentionParameters: 300,
  neuronParameters: 100,
});
const scores = { ...made, model: { ...made.model, config: CONFIG } };

/** A plan with these groups kept. */
function keeping(...layers: Plan['layers']): Plan {
  return { ...makePlan(scores, { target: { kind: 'ratio', value: 0.1 } }), layers };
}

const range = (count: number) => Array.from({ length: count }, (_, index) => index);

describe('the summary of a plan', () => {
  it('counts the parameters of attention and of neurons that go, layer by layer', () => {
    const summary = planSummary(
      scores,
      keeping({ attention: [1], mlp: range(10) }, { attention: [0, 1], mlp: range(4) }),
    );
    expect(summary.layers).toEqual([
      { parameters: 300 / 1600, attention: 0.5, mlp: 0 },
      { parameters: 600 / 1600, attention: 0, mlp: 0.6 },
    ]);
    expect(summary).toMatchObject({ attentionRemoved: 1, attentionGroups: 4, neuronsRemoved: 6, neurons: 20 });
  });

  it('loses nothing more in a block that the scored model had lost already', () => {
    const removed = { attention: { groups: 0, parametersPerGroup: 300 }, mlp: { groups: 0, parametersPerGroup: 100 } };
    const [first] = scores.groups;
    if (!first) throw new Error('There are two layers.');
    const summary = planSummary(
      { ...scores, groups: [first, removed] },
      keeping({ attention: [0], mlp: range(10) }, { attention: [], mlp: [] }),
    );
    expect(summary.layers[1]).toEqual({ parameters: 0, attention: 0, mlp: 0 });
  });

  it('counts the bytes of all weights, those that no plan touches too', () => {
    const all = keeping({ attention: [0, 1], mlp: range(10) }, { attention: [0, 1], mlp: range(10) });
    const dense = planSummary(scores, { ...all, parametersAfter: all.parametersBefore });
    // 10,000 parameters are outside the blocks.
    expect(all.parametersBefore).toBe(2 * 1600 + 10_000);
    expect(dense.bytesBefore).toBe(dense.bytesAfter);
    expect(dense.bytesBefore).toBeGreaterThan(4 * all.parametersBefore);
    expect(dense.bytesBefore).toBeLessThan(4 * all.parametersBefore + 100_000);
  });

  it('counts the multiply-accumulates of a token before and after', () => {
    const { multiplyAccumulates } = planSummary(
      scores,
      keeping({ attention: [0], mlp: range(10) }, { attention: [0, 1], mlp: range(7) }),
    );
    const head = 100 * 32;
    const heads = 32 * 8 * 6 + 4 * 8 * 256;
    expect(multiplyAccumulates).toEqual({
      context: 256,
      before: head + 4 * heads + 20 * 96,
      after: head + 3 * heads + 17 * 96,
    });
  });

  it('leaves multiply-accumulates out where the config makes no model', () => {
    const unknown = { ...scores, model: { ...scores.model, config: { model_type: 'other' } } };
    const all = { attention: [0, 1], mlp: range(10) };
    expect(planSummary(unknown, keeping(all, all)).multiplyAccumulates).toBeUndefined();
  });
});
