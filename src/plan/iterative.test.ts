import { describe, expect, it } from 'vitest';
import { CancelledError, MismatchError, UsageError } from '../errors.ts';
import { METRICS, type ModuleScores, type Scores } from '../importance/sums/scores.ts';
import { syntheticScores } from '../importance/testing/synthetic-scores.ts';
import { composePlans, iterativePlan } from './iterative.ts';
import { makePlan } from './make-plan.ts';
import type { LayerPlan, Target } from './plan.ts';
import { decodePlan, encodePlan } from './plan-file.ts';

const dense = syntheticScores({
  layers: 4,
  attentionGroups: 3,
  neurons: 40,
  attentionParameters: 1536,
  neuronParameters: 96,
});

/** Scores of the model with only these groups: those of the dense one, as if removing groups changed nothing about the others. */
function unchanged(layers: readonly LayerPlan[] | undefined, factor: (group: number) => number = () => 1): Scores {
  if (!layers) return dense;
  const pick = (module: ModuleScores | undefined, kept: readonly number[]): ModuleScores =>
    Object.fromEntries(
      METRICS.map((metric) => [
        metric,
        Float32Array.from(kept, (group) => (module?.[metric]?.[group] ?? 0) * factor(group)),
      ]),
    );
  const groups = dense.groups.map(({ attention, mlp }, index) => ({
    attention: { ...attention, groups: layers[index]?.attention.length ?? 0 },
    mlp: { ...mlp, groups: layers[index]?.mlp.length ?? 0 },
  }));
  const removed = dense.groups.reduce(
    (sum, { attention, mlp }, index) =>
      sum +
      (attention.groups - (groups[index]?.attention.groups ?? 0)) * attention.parametersPerGroup +
      (mlp.groups - (groups[index]?.mlp.groups ?? 0)) * mlp.parametersPerGroup,
    0,
  );
  return {
    ...dense,
    model: { ...dense.model, parameters: dense.model.parameters - removed },
    groups,
    layers: dense.layers.map(({ attention, mlp }, index) => ({
      attention: pick(attention, layers[index]?.attention ?? []),
      mlp: pick(mlp, layers[index]?.mlp ?? []),
    })),
  };
}

describe('pruning in passes', () => {
  it('comes to the plan of one pass where scoring anew changes nothing', async () => {
    const plan = { target: { kind: 'ratio', value: 0.4 }, metric: 'element-second', gamma: 0 } as const;
    const once = makePlan(dense, plan);
    for (const passes of [1, 2, 4]) {
      const found = await iterativePlan({ passes, plan, scoresOf: async (layers) => unchanged(layers) });
      expect(found.layers).toEqual(once.layers);
      expect(found.ratio).toBeCloseTo(once.ratio, 12);
      expect(found.parametersAfter).toBe(once.parametersAfter);
    }
  });

  it.each<[string, Target]>([
    ['a ratio', { kind: 'ratio', value: 0.35 }],
    ['parameters', { kind: 'parameters', value: dense.model.parameters - 9000 }],
    ['bytes', { kind: 'bytes', value: 4 * (dense.model.parameters - 9000) }],
    ['memory', { kind: 'memory', value: 130_000, context: 100 }],
  ])('goes to a target in %s by equal parts', async (_, target) => {
    const passes = 3;
    const sizes: number[] = [];
    const plan = await iterativePlan({
      passes,
      plan: { target },
      scoresOf: async (layers) => {
        const scores = unchanged(layers);
        sizes.push(scores.model.parameters);
        return scores;
      },
    });
    sizes.push(plan.parametersAfter);
    const once = makePlan(dense, { target, gamma: 0 });
    expect(sizes).toHaveLength(passes + 1);
    expect(Math.abs(plan.parametersAfter - once.parametersAfter)).toBeLessThanOrEqual(1536);
    const parts = sizes.slice(1).map((size, index) => (sizes[index] ?? 0) - size);
    if (target.kind !== 'memory')
      for (const part of parts)
        expect(Math.abs(part - (dense.model.parameters - plan.parametersAfter) / passes)).toBeLessThanOrEqual(1536);
    expect(plan.parametersBefore).toBe(dense.model.parameters);
    expect(plan.recipe).toMatchObject({ target, passes, gamma: 0 });
    expect(decodePlan(encodePlan(plan))).toEqual(plan);
  });

  it("follows the new scores, in the dense model's indices", async () => {
    // After the first pass even neurons are worthless: the second pass takes them, whatever they scored before.
    const plan = { target: { kind: 'ratio', value: 0.3 }, metric: 'element-second' } as const;
    const first = makePlan(dense, { ...plan, target: { kind: 'ratio', value: 0.15 }, gamma: 0 });
    const asked: (readonly LayerPlan[] | undefined)[] = [];
    const found = await iterativePlan({
      passes: 2,
      plan,
      scoresOf: async (layers) => {
        asked.push(layers);
        return unchanged(layers, (group) => (group % 2 === 0 ? 1e-6 : 1));
      },
    });
    expect(asked).toEqual([undefined, first.layers]);
    for (const [index, { attention, mlp }] of found.layers.entries()) {
      const before = first.layers[index];
      expect(before?.attention).toEqual(expect.arrayContaining([...attention]));
      expect(before?.mlp).toEqual(expect.arrayContaining([...mlp]));
      const lost = before?.mlp.filter((neuron) => !mlp.includes(neuron)) ?? [];
      expect(lost.every((neuron) => neuron % 2 === 0)).toBe(true);
    }
  });

  it('stops when it is told to, and refuses what makes no sense', async () => {
    const plan = { target: { kind: 'ratio', value: 0.3 } } as const;
    const controller = new AbortController();
    const scoresOf = async (layers: readonly LayerPlan[] | undefined) => {
      if (layers) controller.abort();
      return unchanged(layers);
    };
    await expect(iterativePlan({ passes: 3, plan, scoresOf, signal: controller.signal })).rejects.toBeInstanceOf(
      CancelledError,
    );
    await expect(iterativePlan({ passes: 0, plan, scoresOf })).rejects.toBeInstanceOf(UsageError);
  });

  it('composes plans', () => {
    const first = [{ attention: [0, 2], mlp: [1, 4, 5, 9] }];
    expect(composePlans(first, [{ attention: [1], mlp: [0, 2, 3] }])).toEqual([{ attention: [2], mlp: [1, 5, 9] }]);
    expect(() => composePlans(first, [{ attention: [2], mlp: [0] }])).toThrow(
      'attention group 2 of layer 0, which has 2 left',
    );
    expect(() => composePlans(first, [])).toThrow(MismatchError);
  });
});
