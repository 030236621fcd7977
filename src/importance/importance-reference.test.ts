import { expect, it } from 'vitest';
import { perplexity } from '../evaluate/perplexity.ts';
import { OpenModel } from '../library/open-model.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import { importance } from './importance.ts';
import type { Metric, ModuleScores } from './sums/scores.ts';
import { kendallTau } from './testing/rank-correlation.ts';
import { readReference, referenceCheckpoint } from './testing/reference.ts';

it('scores, losses and perplexities are those of PyTorch in float64', async () => {
  const reference = readReference();
  using runtime = await createNodeRuntime({ threads: 1 });
  using open = new OpenModel(runtime, await referenceCheckpoint());
  const result = await importance(open.programs, open.store, reference.calibration, {
    structuresOf: open.structuresOf,
  });
  expect(Math.abs(result.loss / reference.loss - 1)).toBeLessThan(1e-6);
  for (const module of ['attention', 'mlp'] as const) {
    const metrics = Object.keys(reference.layers[0]?.[module] ?? {}) as Metric[];
    expect(metrics.length).toBe(11);
    for (const metric of metrics) {
      const worst = Math.max(
        ...reference.layers.map((layer, index) =>
          worstDifference(layer[module][metric] ?? [], result.layers[index]?.[module] ?? {}, metric),
        ),
      );
      expect(worst, `${module} ${metric}`).toBeLessThan(1e-3);
      if (module === 'attention') continue;
      const tau = Math.min(
        ...reference.layers.map((layer, index) =>
          kendallTau(layer.mlp[metric] ?? [], result.layers[index]?.mlp[metric] ?? []),
        ),
      );
      expect(tau, metric).toBeGreaterThan(0.999);
    }
  }
  const dense = await perplexity(open.programs, open.store, reference.evaluation);
  expect(Math.abs(dense.perplexity / reference.perplexity - 1)).toBeLessThan(1e-5);
  using pruned = open.pruned(
    open.layerGroups().map(({ attention, mlp }, layer) => ({
      attention: indices(attention.groups - (layer % 2)),
      mlp: indices(mlp.groups).filter((neuron) => neuron % 4 !== 1),
    })),
  );
  const after = await perplexity(pruned.programs, pruned.store, reference.evaluation);
  expect(Math.abs(after.perplexity / reference.plan.perplexity - 1)).toBeLessThan(1e-5);
});

const indices = (count: number) => Array.from({ length: count }, (_, index) => index);

/** Largest relative difference over the values that are not near zero (1e-6 of the layer's largest). */
function worstDifference(expected: readonly number[], scores: ModuleScores, metric: Metric): number {
  const largest = Math.max(...expected.map(Math.abs));
  const found = scores[metric];
  expect(found?.length).toBe(expected.length);
  return Math.max(
    ...expected.map((value, group) =>
      Math.abs(value) > 1e-6 * largest ? Math.abs((found?.[group] ?? Number.NaN) - value) / Math.abs(value) : 0,
    ),
  );
}
