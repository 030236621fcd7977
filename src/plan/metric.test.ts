import { expect, it } from 'vitest';
import { UsageError } from '../errors.ts';
import { syntheticScores } from '../importance/testing/synthetic-scores.ts';
import { hasMetrics } from './metric.ts';

const scores = syntheticScores({ layers: 3, attentionGroups: 2, neurons: 8 });

it('has the metrics of an expression if every group of every layer has them', () => {
  const { kronecker: _, ...attention } = scores.layers[1]?.attention ?? {};
  const older = {
    ...scores,
    layers: scores.layers.map((layer, index) => (index === 1 ? { ...layer, attention } : layer)),
  };
  expect(hasMetrics(scores, '0.5*kronecker+fisher')).toBe(true);
  expect(hasMetrics(older, '0.5*kronecker+fisher')).toBe(false);
  expect(hasMetrics(older, 'fisher+random')).toBe(true);
  expect(() => hasMetrics(scores, 'fischer')).toThrow(UsageError);
});

it('needs none where a block has no groups left', () => {
  const removed = {
    ...scores,
    groups: scores.groups.map((group, index) =>
      index === 2 ? { ...group, attention: { groups: 0, parametersPerGroup: 64 } } : group,
    ),
    layers: scores.layers.map((layer, index) => (index === 2 ? { ...layer, attention: {} } : layer)),
  };
  expect(hasMetrics(removed, 'element-second+fisher')).toBe(true);
});
