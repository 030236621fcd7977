import fc from 'fast-check';
import { expect, it } from 'vitest';
import { UsageError } from '../errors.ts';
import { groupTable } from '../importance/structures/group-table.ts';
import { syntheticScores } from '../importance/testing/synthetic-scores.ts';
import { makePlan } from './make-plan.ts';
import type { Plan, Target } from './plan.ts';
import { SEARCHES } from './search/searches.ts';
import { storageFor } from './search/storage.ts';
import { wholeSize } from './search/target.ts';

const scores = syntheticScores({ layers: 5, attentionGroups: 3, neurons: 40 });
const table = groupTable(scores.groups);

/** What a plan comes to in the unit of its target. */
function sizeOf(plan: Plan, target: Target): number {
  if (target.kind === 'parameters') return plan.parametersAfter;
  const cost = storageFor(plan.recipe.dtype ?? 'f32', scores.model, table);
  const heads = plan.layers.reduce((sum, { attention }) => sum + attention.length, 0);
  const whole = table.segments.reduce((sum, s) => sum + (s.module === 'attention' ? s.end - s.start : 0), 0);
  const weights = (plan.parametersBefore - plan.parametersAfter) * cost.block;
  const total = wholeSize(target, table, scores.model, cost);
  if (target.kind === 'bytes') return total - weights;
  const without = wholeSize({ kind: 'bytes', value: 0 }, table, scores.model, cost);
  return total - weights - ((total - without) * (whole - heads)) / whole;
}

const targets = fc.oneof(
  ...(['parameters', 'bytes', 'memory'] as const).map((kind) =>
    fc.double({ min: 0.02, max: 1, noNaN: true }).map((share): Target => {
      const base = { kind, value: 0, context: 64 } as const;
      const whole = wholeSize(base, table, scores.model, storageFor('f32', scores.model, table));
      return { ...base, value: Math.floor(whole * share) };
    }),
  ),
);

it.each(SEARCHES.map(({ name }) => name))('%s: parameters, bytes and memory are upper bounds, or refused', (search) => {
  let kept = 0;
  fc.assert(
    fc.property(targets, fc.constantFrom(1, 2, 4, 7, 16), fc.boolean(), (target, roundTo, isProtected) => {
      const options = { target, search, roundTo, ...(isProtected && { protect: [1] }) };
      let plan: Plan;
      try {
        plan = makePlan(scores, options);
      } catch (error) {
        expect(error).toBeInstanceOf(UsageError);
        return;
      }
      kept += 1;
      expect(sizeOf(plan, target)).toBeLessThanOrEqual(target.value + 1e-6 * target.value);
    }),
    { numRuns: 60 },
  );
  expect(kept).toBeGreaterThan(5);
});

it('stays within a bound by little: under one group where widths are not rounded', () => {
  const cheapest = Math.min(...table.segments.map(({ parametersPerGroup }) => parametersPerGroup));
  for (const share of [0.95, 0.9, 0.8, 0.7]) {
    const value = Math.floor(scores.model.parameters - (1 - share) * table.parameters);
    const { parametersAfter } = makePlan(scores, { target: { kind: 'parameters', value } });
    expect(value - parametersAfter).toBeGreaterThanOrEqual(0);
    expect(value - parametersAfter).toBeLessThan(2 * cheapest);
  }
});

it('one parameter less than the model has removes one group, not nothing', () => {
  const before = scores.model.parameters;
  for (const roundTo of [1, 4]) {
    const plan = makePlan(scores, { target: { kind: 'parameters', value: before - 1 }, roundTo });
    expect(plan.parametersAfter).toBeLessThan(before);
  }
  expect(makePlan(scores, { target: { kind: 'parameters', value: before } }).parametersAfter).toBe(before);
});
