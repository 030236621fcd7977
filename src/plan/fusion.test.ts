import { describe, expect, it } from 'vitest';
import { groupTable } from '../importance/structures/group-table.ts';
import { readReference, referenceScores } from '../importance/testing/reference.ts';
import { syntheticScores } from '../importance/testing/synthetic-scores.ts';
import { fuseGeometric, fuseShared } from './fusion.ts';
import { fusedImportance, parseMetric } from './metric.ts';
import { STANDARDISED } from './search/standardised.ts';

/** Two layers of 2 attention groups and 3 neurons. */
const table = groupTable(
  Array.from({ length: 2 }, () => ({
    attention: { groups: 2, parametersPerGroup: 10 },
    mlp: { groups: 3, parametersPerGroup: 2 },
  })),
);
const vector = Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
const element = Float64Array.of(10, 20, 0, 0, 0, 30, 40, 1, 2, 3);
const both = [
  { scores: vector, weight: 1 },
  { scores: element, weight: 1 },
];

describe('fusion with a shared noise scale', () => {
  it('divides by the mean over the model', () => {
    const fused = fuseShared(both, table, 'model');
    vector.forEach((value, i) => {
      expect(fused[i]).toBeCloseTo(value / 5.5 + (element[i] ?? 0) / 10.6, 12);
    });
  });

  it('divides by the mean over the module type', () => {
    const fused = fuseShared(both, table, 'module');
    expect(fused[0]).toBeCloseTo(1 / 4 + 10 / 25, 12); // attention: means (1+2+6+7)/4 and (10+20+30+40)/4
    expect(fused[9]).toBeCloseTo(10 / (39 / 6) + 3 / 1, 12);
  });

  it('divides by the mean over layer and module; a metric that is zero there adds nothing', () => {
    const fused = fuseShared(both, table, 'layer');
    expect(fused[1]).toBeCloseTo(2 / 1.5 + 20 / 15, 12);
    expect([...fused.slice(2, 5)]).toEqual([3 / 4, 1, 5 / 4]);
  });

  it('weighs its terms', () => {
    const fused = fuseShared([{ scores: vector, weight: 3 }], table, 'model');
    expect(fused[3]).toBeCloseTo((3 * 4) / 5.5, 12);
  });

  it('does not depend on the metrics’ units', () => {
    const scaled = fuseShared(
      [{ scores: vector.map((value) => value * 1e-9), weight: 1 }, both[1] ?? both[0]] as typeof both,
      table,
      'model',
    );
    fuseShared(both, table, 'model').forEach((value, i) => {
      expect(scaled[i]).toBeCloseTo(value, 10);
    });
  });
});

describe('the learned noise scale', () => {
  it.each([1e-9, 1e-3, 1, 47, 1e6])('converges to the closed form at scores of about %s', (scale) => {
    const scores = vector.map((value) => value * scale);
    expect(learnVariance(scores) / (5.5 * scale)).toBeCloseTo(1, 9);
  });

  it('gives the fused score of the closed form', () => {
    const closed = fuseShared(both, table, 'model');
    const learned = vector.map(
      (value, i) => value / learnVariance(vector) + (element[i] ?? 0) / learnVariance(element),
    );
    closed.forEach((value, i) => {
      expect(learned[i]).toBeCloseTo(value, 9);
    });
  });
});

describe('geometric fusion', () => {
  it('is the geometric mean of the metrics, 0 where one of them is', () => {
    const fused = fuseGeometric(both);
    expect(fused[0]).toBeCloseTo(Math.sqrt(10), 12);
    expect(fused[3]).toBe(0);
  });

  it('takes weights as exponents', () => {
    expect(
      fuseGeometric([
        { scores: vector, weight: 3 },
        { scores: element, weight: 1 },
      ])[0],
    ).toBeCloseTo(10 ** 0.25, 12);
  });
});

describe('metric expressions', () => {
  it('reads names and weights', () => {
    expect(parseMetric('element-second+0.5*fisher')).toEqual([
      { metric: 'element-second', weight: 1 },
      { metric: 'fisher', weight: 0.5 },
    ]);
  });

  it.each(['', 'fisher+', 'fishers', '-1*fisher', 'fisher*2'])('refuses "%s"', (expression) => {
    expect(() => parseMetric(expression)).toThrow('Metrics are vector, ');
  });

  it('fuses the metrics of a score file', () => {
    const scores = syntheticScores({ layers: 2, attentionGroups: 2, neurons: 3 });
    const groups = groupTable(scores.groups);
    const fused = fusedImportance(scores, groups, { metric: 'fisher', fusion: 'shared', scope: 'model', seed: 0 });
    expect(fused.reduce((sum, value) => sum + value, 0)).toBeCloseTo(groups.length, 9);
  });
});

it('fused and standardised scores are those of PyTorch in float64', () => {
  const reference = readReference();
  const scores = referenceScores(reference);
  const groups = groupTable(scores.groups);
  const expectNear = (found: Float64Array, key: string) => {
    const wanted = reference.extra[key] ?? [];
    expect(found.length).toBe(wanted.length);
    const largest = Math.max(...wanted.map(Math.abs));
    // The stored metrics are float32.
    found.forEach((value, i) => {
      expect(Math.abs(value - (wanted[i] as number)), `${key} ${i}`).toBeLessThan(1e-6 * largest);
    });
  };
  for (const metric of ['vector+element-first', 'fisher+element-second']) {
    const fused = fusedImportance(scores, groups, { metric, fusion: 'shared', scope: 'model', seed: 0 });
    expectNear(fused, `fused-shared ${metric}`);
    const context = {
      table: groups,
      importance: fused,
      ratio: 0.2,
      protectedLayers: new Set<number>(),
      gamma: undefined,
      balance: { attention: 1, depth: 0 },
    };
    expectNear(STANDARDISED.rank(context), `standardised ${metric}`);
    expectNear(
      fusedImportance(scores, groups, { metric, fusion: 'geometric', scope: 'model', seed: 0 }),
      `fused-geometric ${metric}`,
    );
  }
});

/**
 * The variance sigma^2 that gradient descent finds for one metric in one scope: it minimises mean(I) / (2 sigma^2) + log sigma over s = log sigma^2,
 * from sigma = 1. The gradient is (1 - mean(I) exp(-s)) / 2, clipped so that a small sigma does not throw the descent far away.
 * It converges to mean(I), which is the closed form. Scores must not be all zero: the minimum is then at sigma = 0.
 */
function learnVariance(scores: Float64Array, { steps = 2000, rate = 0.5 } = {}): number {
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  let logVariance = 0;
  for (let step = 0; step < steps; step++) {
    const gradient = (1 - mean * Math.exp(-logVariance)) / 2;
    logVariance -= rate * Math.max(-1, Math.min(1, gradient));
  }
  return Math.exp(logVariance);
}
