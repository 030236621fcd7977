import { describe, expect, it } from 'vitest';
import { UsageError } from '../../errors.ts';
import { syntheticScores } from '../../importance/testing/synthetic-scores.ts';
import { makePlan } from '../make-plan.ts';
import { METHODS, parseMethod, SCORE_METHODS } from './methods.ts';

describe('methods', () => {
  it('has the agreed names', () => {
    expect(METHODS.map(({ name }) => name).sort()).toEqual(
      [
        'depth',
        'flap',
        'llm-pruner-element-first',
        'llm-pruner-element-mixed',
        'llm-pruner-vector',
        'magnitude-l1',
        'magnitude-l2',
        'random',
        'replace-me',
        'saap',
        'saap-kronecker',
        'saap-measured',
        'saap-passes',
        'saap-surgeon',
        'saap-wanda',
        'slimllm',
        'surgeon',
        'wanda',
      ].sort(),
    );
  });

  it('plans from scores alone but for those that look at the model', () => {
    const others = METHODS.filter((method) => !SCORE_METHODS.includes(method)).map(({ name }) => name);
    expect(others).toEqual(['saap-measured', 'saap-passes', 'saap-surgeon', 'surgeon', 'slimllm', 'replace-me']);
  });

  it('reads a compensation after the name', () => {
    expect(parseMethod('flap+bias')).toEqual({
      name: 'flap+bias',
      source: expect.stringContaining('FLAP'),
      recipe: { metric: 'flap-standardised', search: 'by-score', compensate: 'bias' },
    });
    expect(parseMethod('saap').recipe).toEqual({
      metric: 'element-second+fisher',
      fusion: 'shared',
      fusionScope: 'model',
      search: 'tempered',
      compensate: 'none',
    });
    expect(parseMethod('wanda+least-squares').recipe.compensate).toBe('least-squares');
    expect(parseMethod('saap-measured+bias')).toMatchObject({
      planning: 'measured',
      recipe: { ...parseMethod('saap+bias').recipe },
    });
  });

  it('reads a recovery after the name, or after its compensation', () => {
    expect(parseMethod('saap+lora')).toEqual({ ...parseMethod('saap'), name: 'saap+lora', recovery: 'lora' });
    expect(parseMethod('flap+bias+group-wise')).toEqual({
      ...parseMethod('flap+bias'),
      name: 'flap+bias+group-wise',
      recovery: 'group-wise',
    });
    expect(parseMethod('flap+bias').recovery).toBeUndefined();
    expect(parseMethod('slimllm+regression+lora')).toMatchObject({
      modelMetric: 'slimllm',
      repair: 'regression',
      recipe: { compensate: 'none' },
      recovery: 'lora',
    });
    expect(() => parseMethod('replace-me+bias')).toThrow('replace-me is repaired by itself; leave out "+bias"');
    for (const wrong of ['saap+lora+bias', 'saap+lora+lora', 'saap+bias+lora+group-wise', 'saap+', 'saap+bias+'])
      expect(() => parseMethod(wrong), wrong).toThrow(/saap\+bias\+lora is both, in this order/);
  });

  it('refuses other names with the legal ones', () => {
    expect(() => parseMethod('sap')).toThrow(UsageError);
    expect(() => parseMethod('sap')).toThrow('"sap" is no method. Methods are saap, saap-wanda, saap-kronecker,');
    expect(() => parseMethod('flap+bais')).toThrow('flap+bias and flap+least-squares');
    expect(() => parseMethod('flap+bias+bias')).toThrow(UsageError);
    expect(() => parseMethod('')).toThrow(UsageError);
  });

  it('makes plans of equal size, but for whole blocks', () => {
    const scores = syntheticScores({ layers: 16, attentionGroups: 4, neurons: 256 });
    for (const { name } of SCORE_METHODS) {
      const { compensate: _, ...recipe } = parseMethod(name).recipe;
      const { ratio } = makePlan(scores, { ...recipe, target: { kind: 'ratio', value: 0.2 }, seed: 3 });
      expect(Math.abs(ratio - 0.2), name).toBeLessThan(name === 'depth' ? 1 / 32 + 1e-9 : 1e-3);
    }
  });

  it('random depends on the seed and on nothing else', () => {
    const scores = syntheticScores({ layers: 6, attentionGroups: 4, neurons: 64 });
    const other = syntheticScores({ layers: 6, attentionGroups: 4, neurons: 64, seed: 9 });
    const plan = (from: typeof scores, seed: number) =>
      makePlan(from, { ...parseMethod('random').recipe, target: { kind: 'ratio', value: 0.2 }, seed }).layers;
    expect(plan(scores, 1)).toEqual(plan(other, 1));
    expect(plan(scores, 1)).not.toEqual(plan(scores, 2));
  });

  it('wanda, flap and magnitude take the lowest of a layer by their own score', () => {
    const scores = syntheticScores({ layers: 4, attentionGroups: 2, neurons: 40 });
    for (const name of [
      'wanda',
      'flap',
      'magnitude-l1',
      'magnitude-l2',
      'llm-pruner-vector',
      'llm-pruner-element-first',
      'llm-pruner-element-mixed',
    ]) {
      const { recipe } = parseMethod(name);
      const plan = makePlan(scores, { ...recipe, target: { kind: 'ratio', value: 0.25 } });
      plan.layers.forEach(({ mlp }, layer) => {
        const values = scores.layers[layer]?.mlp[recipe.metric as 'wanda'] ?? new Float32Array(0);
        const removed = [...values.keys()].filter((index) => !mlp.includes(index));
        const least = Math.min(...mlp.map((index) => values[index] ?? 0));
        for (const index of removed) expect(values[index], name).toBeLessThanOrEqual(least);
      });
    }
  });
});
