import { describe, expect, it } from 'vitest';
import { groupTable } from '../../importance/structures/group-table.ts';
import type { Scores } from '../../importance/sums/scores.ts';
import { syntheticScores } from '../../importance/testing/synthetic-scores.ts';
import { makePlan } from '../make-plan.ts';
import type { PlanOptions } from '../plan-options.ts';
import { keptShares } from './budget.ts';
import type { SearchContext } from './search.ts';
import { findSearch, SEARCHES } from './searches.ts';
import { llmPrunerProtection } from './uniform.ts';

/** Two layers of 2 attention groups (10 parameters) and 4 neurons (2 parameters). */
const table = groupTable(
  Array.from({ length: 2 }, () => ({
    attention: { groups: 2, parametersPerGroup: 10 },
    mlp: { groups: 4, parametersPerGroup: 2 },
  })),
);
const importance = Float64Array.of(20, 40, 1, 2, 3, 6, 100, 300, 8, 8, 8, 8);
const context = (changes: Partial<SearchContext> = {}): SearchContext => ({
  table,
  importance,
  ratio: 0.25,
  protectedLayers: new Set(),
  gamma: undefined,
  balance: { attention: 1, depth: 0 },
  ...changes,
});
const priorities = (search: string, changes?: Partial<SearchContext>) => [...findSearch(search).rank(context(changes))];
const close = (found: readonly number[], wanted: readonly number[]) => {
  expect(found.length).toBe(wanted.length);
  found.forEach((value, i) => {
    expect(value, `group ${i}`).toBeCloseTo(wanted[i] as number, 12);
  });
};

describe('priorities by hand', () => {
  it('global: per parameter', () => {
    close(priorities('global'), [2, 4, 0.5, 1, 1.5, 3, 10, 30, 4, 4, 4, 4]);
  });

  it('relative: over the mean of layer and module', () => {
    close(priorities('relative'), [2 / 3, 4 / 3, 1 / 3, 2 / 3, 1, 2, 0.5, 1.5, 1, 1, 1, 1]);
  });

  it('tempered: between the two, by the ratio or by gamma', () => {
    close(priorities('tempered', { gamma: 0 }), priorities('global'));
    close(priorities('tempered', { gamma: 1 }), priorities('relative'));
    const [first, , , , , , last] = priorities('tempered', { ratio: 0.5 });
    close([first ?? 0, last ?? 0], [2 / Math.sqrt(3), 10 / Math.sqrt(20)]);
  });

  it('tempered: balance between modules and over depth', () => {
    const [first, , neuron, , , , last] = priorities('tempered', { gamma: 0, balance: { attention: 0.5, depth: 1 } });
    close([first ?? 0, neuron ?? 0, last ?? 0], [1 / Math.E, 0.5 / Math.E, 5 * Math.E]);
  });

  it('relative-module: over the mean of the module type', () => {
    close(priorities('relative-module').slice(0, 3), [20 / 115, 40 / 115, 1 / 5.5]);
  });

  it('standardised: z-scores, 0 where all are equal', () => {
    close(priorities('standardised'), [-1, 1, ...[-2, -1, 0, 3].map((d) => d / Math.sqrt(3.5)), -1, 1, 0, 0, 0, 0]);
  });

  it('uniform-all: the share of layer and module, shared out between layers by score', () => {
    close(priorities('uniform-all'), [
      0.125,
      0.625,
      ...[0, 1, 2, 3].map((k) => (k + 0.25) / 4),
      0.375,
      0.875,
      ...[0, 1, 2, 3].map((k) => (k + 0.75) / 4),
    ]);
  });

  it('depth: one value a block', () => {
    expect(findSearch('depth').unit).toBe('block');
    close(priorities('depth'), [72 / 6, 432 / 6]);
  });

  it('a search that does not exist is refused with the names', () => {
    expect(() => findSearch('flap')).toThrow(
      '"flap" is no search. Searches are tempered, global, relative, relative-module, standardised, by-score, stability,',
    );
  });
});

describe('stability', () => {
  it('divides the score by (1 + stability), or multiplies it, before ranking', () => {
    const scores = syntheticScores({ layers: 4, attentionGroups: 2, neurons: 40 });
    const adjusted = (exponent: number): Scores => ({
      ...scores,
      layers: scores.layers.map(({ attention, mlp }) => {
        const change = (module: typeof mlp) => ({
          ...module,
          fisher: module.fisher?.map((value, i) => value * (1 + (module.stability?.[i] ?? 0)) ** exponent),
        });
        return { attention: change(attention), mlp: change(mlp) } as Scores['layers'][number];
      }),
    });
    const options: PlanOptions = { metric: 'fisher', search: 'global', target: { kind: 'ratio', value: 0.3 } };
    for (const stability of [-1, 1]) {
      expect(makePlan(scores, { ...options, stability }).layers).toEqual(makePlan(adjusted(stability), options).layers);
    }
    expect(makePlan(scores, { ...options, search: 'stability' }).layers).toEqual(
      makePlan(scores, { ...options, search: 'tempered', stability: -1 }).layers,
    );
    expect(makePlan(scores, { ...options, stability: 1 }).layers).not.toEqual(makePlan(scores, options).layers);
  });
});

describe('budget', () => {
  it('keeps shares proportional to the mean score, within bounds, with the total as asked', () => {
    const shares = keptShares([100, 100, 100], [1, 2, 3], 150);
    expect(shares.map((share) => share / 0.25)).toEqual([
      expect.closeTo(1, 6),
      expect.closeTo(2, 6),
      expect.closeTo(3, 6),
    ]);
    const bounded = keptShares([100, 100, 100], [1, 10, 100], 150);
    expect(bounded[0]).toBeCloseTo(0.25, 9);
    expect(bounded[2]).toBeCloseTo(0.75, 9);
    expect(bounded.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1.5, 9);
    expect(keptShares([100, 100], [0, 0], 50)).toEqual([0.75, 0.75]);
  });

  it('removes what the budgets say', () => {
    const scores = syntheticScores({ layers: 6, attentionGroups: 4, neurons: 200, attentionParameters: 384 });
    const plan = makePlan(scores, { search: 'budget', metric: 'fisher', target: { kind: 'ratio', value: 0.4 } });
    const size = 4 * 384 + 200 * 192;
    const means = scores.layers.map(
      ({ attention, mlp }) =>
        [attention, mlp].reduce((sum, { fisher = new Float32Array(0) }) => sum + fisher.reduce((a, b) => a + b, 0), 0) /
        size,
    );
    const wanted = keptShares(Array(6).fill(size), means, 0.4 * 6 * size);
    plan.layers.forEach(({ attention, mlp }, layer) => {
      expect((attention.length * 384 + mlp.length * 192) / size).toBeCloseTo(wanted[layer] ?? 0, 1);
    });
    expect(new Set(wanted.map((share) => share.toFixed(2))).size).toBeGreaterThan(2);
  });
});

describe('uniform', () => {
  /** The shape of SmolLM2-135M: 30 layers, 3 attention groups, 1,536 neurons, hidden size 576, heads of 64. */
  const scores = syntheticScores({
    layers: 30,
    attentionGroups: 3,
    neurons: 1536,
    attentionParameters: 64 * 576 * 8,
    neuronParameters: 3 * 576,
  });
  const counts = (search: string) => {
    const { layers } = makePlan(scores, { search, metric: 'vector', target: { kind: 'ratio', value: 0.2 } });
    return {
      attention: layers.map(({ attention }) => 3 - attention.length),
      mlp: layers.map(({ mlp }) => 1536 - mlp.length),
    };
  };

  it('keeps layers 0 to 2 and 28 to 29 of 30 as LLM-Pruner does', () => {
    expect(llmPrunerProtection(30)).toEqual([0, 1, 2, 28, 29]);
    expect(llmPrunerProtection(32)).toEqual([0, 1, 2, 3, 30, 31]);
    expect(llmPrunerProtection(2)).toEqual([]);
    const { attention, mlp } = counts('uniform');
    for (const layer of [0, 1, 2, 28, 29]) expect([attention[layer], mlp[layer]]).toEqual([0, 0]);
  });

  it('takes 20% of the attention groups in all, or one from each of the 25 layers; the neurons make up the rest, equal in all layers', () => {
    for (const [search, groups] of [
      ['uniform', 18],
      ['uniform-by-layer', 25],
    ] as const) {
      const { attention, mlp } = counts(search);
      expect(attention.reduce((sum, count) => sum + count, 0)).toBe(groups);
      const neurons = mlp.slice(3, 28);
      expect(Math.max(...neurons) - Math.min(...neurons)).toBeLessThanOrEqual(1);
    }
  });

  it('uniform-all keeps no layer whole', () => {
    const { mlp } = counts('uniform-all');
    expect(Math.max(...mlp) - Math.min(...mlp)).toBeLessThanOrEqual(1);
  });
});

describe('depth', () => {
  const scores = syntheticScores({ layers: 10, attentionGroups: 4, neurons: 64 });
  it('removes whole blocks, those of the least influence, to within half a block', () => {
    const plan = makePlan(scores, { search: 'depth', metric: 'depth', target: { kind: 'ratio', value: 0.32 } });
    const influence = scores.layers.map(({ mlp }) => mlp.depth?.[0] ?? 0);
    const lowest = [...influence.keys()].sort((a, b) => (influence[a] ?? 0) - (influence[b] ?? 0)).slice(0, 3);
    plan.layers.forEach(({ attention, mlp }, layer) => {
      expect([attention.length, mlp.length]).toEqual(lowest.includes(layer) ? [0, 0] : [4, 64]);
    });
    expect(plan.ratio).toBeCloseTo(0.3, 12);
  });

  it('keeps one block and refuses what it cannot reach', () => {
    const plan = makePlan(scores, { search: 'depth', metric: 'depth', target: { kind: 'ratio', value: 0.92 } });
    expect(plan.layers.filter(({ mlp }) => mlp.length > 0).length).toBe(1);
    expect(() =>
      makePlan(scores, { search: 'depth', metric: 'depth', target: { kind: 'ratio', value: 0.97 } }),
    ).toThrow('one block stay');
  });
});

describe('every search', () => {
  it('leaves zero scores finite and ordered', () => {
    for (const search of SEARCHES) {
      for (const value of search.rank(context({ importance: new Float64Array(table.length) })))
        expect(Number.isFinite(value), search.name).toBe(true);
    }
  });
});
