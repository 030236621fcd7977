import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../errors.ts';
import { syntheticScores } from '../../importance/testing/synthetic-scores.ts';
import { makePlan } from '../make-plan.ts';
import { checkCompensation } from './plain-shape.ts';

const scores = syntheticScores({ layers: 4, attentionGroups: 3, neurons: 96 });
const plan = (ratio: number, more: object = {}) =>
  makePlan(scores, { target: { kind: 'ratio', value: ratio }, shape: 'uniform', ...more });

describe('a plain shape', () => {
  it('gives every layer one width, keeps all attention and comes within half a neuron a layer of the ratio', () => {
    const { layers, ratio } = plan(0.25);
    expect(new Set(layers.map(({ mlp }) => mlp.length)).size).toBe(1);
    for (const { attention } of layers) expect(attention).toEqual([0, 1, 2]);
    const step = (4 * 192) / (4 * (3 * 4096 + 96 * 192));
    expect(Math.abs(ratio - 0.25)).toBeLessThanOrEqual(step / 2 + 1e-12);
  });

  it('takes the neurons of each layer that a free plan would take first', () => {
    const uniform = plan(0.3);
    const free = makePlan(scores, { target: { kind: 'ratio', value: 0.3 }, shape: 'free' });
    for (const [layer, { mlp }] of uniform.layers.entries()) {
      const other = free.layers[layer]?.mlp ?? [];
      const [few, many] = mlp.length < other.length ? [mlp, other] : [other, mlp];
      expect(many).toEqual(expect.arrayContaining([...few]));
    }
  });

  it('is a multiple of 32 with "standard", and of the step that is asked for as well', () => {
    expect(plan(0.2, { shape: 'standard' }).layers[0]?.mlp.length).toBe(64);
    expect(plan(0.2, { shape: 'standard', roundTo: 6 }).layers[0]?.mlp.length).toBe(96);
    expect(plan(0.2, { roundTo: 8 }).layers[0]?.mlp.length).toBe(64);
  });

  it('keeps at most the parameters that are asked for', () => {
    const whole = scores.model.parameters;
    fc.assert(
      fc.property(
        fc.integer({ min: Math.ceil(whole * 0.65), max: whole }),
        fc.constantFrom(1, 4, 16),
        (value, roundTo) => {
          const { parametersAfter } = makePlan(scores, {
            target: { kind: 'parameters', value },
            shape: 'uniform',
            roundTo,
          });
          expect(parametersAfter).toBeLessThanOrEqual(value);
          expect(value - parametersAfter).toBeLessThan(roundTo * 4 * 192);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('refuses what cannot be, and says what can', () => {
    expect(() => plan(0.2, { protect: [1] })).toThrow('Protect none');
    expect(() => plan(0.7)).toThrow(/8 neurons a layer is the least/);
    const groups = scores.groups.map((each, layer) =>
      layer === 0 ? { ...each, attention: { ...each.attention, groups: 2 } } : each,
    );
    const metrics = scores.layers.map((each, layer) =>
      layer === 0
        ? {
            ...each,
            attention: Object.fromEntries(
              Object.entries(each.attention).map(([name, values]) => [name, values.slice(0, 2)]),
            ),
          }
        : each,
    );
    const uneven = { ...scores, groups, layers: metrics } as typeof scores;
    expect(() => makePlan(uneven, { target: { kind: 'ratio', value: 0.1 }, shape: 'uniform' })).toThrow(
      'different numbers of attention groups (2, 3)',
    );
    expect(() => checkCompensation('standard', 'bias')).toThrow(UsageError);
    expect(() => checkCompensation('uniform', 'least-squares')).not.toThrow();
  });
});
