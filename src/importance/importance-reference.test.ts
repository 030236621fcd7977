import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { diskFolder } from '../checkpoint/files/disk.ts';
import { openCheckpoint } from '../checkpoint/folder.ts';
import { perplexity } from '../evaluate/perplexity.ts';
import { OpenModel } from '../library/open-model.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import { importance } from './importance.ts';
import type { Metric, ModuleScores } from './sums/scores.ts';
import { kendallTau } from './testing/rank-correlation.ts';

const DATA = '../shared/data';

interface Reference {
  readonly calibration: number[][];
  readonly evaluation: number[][];
  readonly loss: number;
  readonly perplexity: number;
  readonly layers: readonly Record<'attention' | 'mlp', Partial<Record<Metric, number[]>>>[];
  /** Its rule: drop the last attention group of odd layers and every neuron with index 1 mod 4. */
  readonly plan: { readonly perplexity: number };
}

/** Float64 values of PyTorch; importance.test.ts is the independent check where these files are absent. */
describe.runIf(existsSync(`${DATA}/reference`))('scores against PyTorch in float64', () => {
  it.each(['stories260K', 'TinyStories-656K'])('%s', async (name) => {
    const reference = JSON.parse(readFileSync(`${DATA}/reference/${name}.json`, 'utf8')) as Reference;
    using runtime = await createNodeRuntime({ threads: 1 });
    using open = new OpenModel(runtime, await openCheckpoint(await diskFolder(`${DATA}/models/${name}`)));
    const result = await importance(open.programs, open.store, reference.calibration, {
      structuresOf: open.structuresOf,
    });
    expect(Math.abs(result.loss / reference.loss - 1)).toBeLessThan(1e-4);
    for (const module of ['attention', 'mlp'] as const) {
      for (const metric of Object.keys(reference.layers[0]?.[module] ?? {}) as Metric[]) {
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
        console.log(
          `${name} on ${runtime.backend}, ${metric}: largest relative difference ${worst.toExponential(1)}, rank correlation (Kendall) ${tau.toFixed(5)}`,
        );
        expect(tau, metric).toBeGreaterThan(0.999);
      }
    }
    const dense = await perplexity(open.programs, open.store, reference.evaluation);
    expect(Math.abs(dense.perplexity / reference.perplexity - 1)).toBeLessThan(1e-4);
    using pruned = open.pruned(
      open.layerGroups().map(({ attention, mlp }, layer) => ({
        attention: indices(attention.groups - (layer % 2)),
        mlp: indices(mlp.groups).filter((neuron) => neuron % 4 !== 1),
      })),
    );
    const after = await perplexity(pruned.programs, pruned.store, reference.evaluation);
    expect(Math.abs(after.perplexity / reference.plan.perplexity - 1)).toBeLessThan(1e-4);
  });
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
