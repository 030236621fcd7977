import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FixtureName, fixtureFolder, openFixture } from '../architecture/testing/fixture.ts';
import { DenseReference } from '../evaluate/divergence/dense-reference.ts';
import { divergenceFrom, teach } from '../evaluate/divergence/teacher.ts';
import { perplexity } from '../evaluate/perplexity.ts';
import { OpenModel } from '../library/open-model.ts';
import type { LayerPlan } from '../plan/plan.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type ImportanceResult, importance } from './importance.ts';
import type { Metric } from './sums/scores.ts';

/** Against what scripts/fixtures/objectives.py computes with PyTorch in float64. */
type Layers = readonly Readonly<Record<'attention' | 'mlp', readonly number[]>>[];
interface Reference extends Readonly<Record<'text' | 'model', Readonly<Record<Metric, Layers>>>> {
  readonly teacher: Readonly<Record<'whole' | 'top8', Readonly<Record<Metric, Layers>>>>;
  readonly divergence: { readonly windows: readonly number[]; readonly top1Agreement: number };
}

const reference = JSON.parse(
  await readFile(new URL('./fixtures/objectives.json', import.meta.url), 'utf8'),
) as Readonly<Record<'llama' | 'llama-biases', Reference>>;

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

/** What greedy.json's plan keeps. */
async function planOf(name: FixtureName): Promise<LayerPlan[]> {
  const text = await readFile(`${fixtureFolder(name)}/greedy.json`, 'utf8');
  return (JSON.parse(text) as { readonly plan: LayerPlan[] }).plan;
}

/** The largest difference of a metric over all groups, against the largest value of its layer and module. */
function worst({ layers }: ImportanceResult, metric: Metric, expected: Layers): number {
  let largest = 0;
  for (const [layer, modules] of expected.entries()) {
    for (const module of ['attention', 'mlp'] as const) {
      const [found, wanted] = [layers[layer]?.[module][metric], modules[module]];
      expect(found?.length).toBe(wanted.length);
      const scale = Math.max(...wanted);
      wanted.forEach((value, group) => {
        largest = Math.max(largest, Math.abs((found?.[group] ?? Number.NaN) - value) / scale);
      });
    }
  }
  return largest;
}

describe.each(['llama', 'llama-biases'] as const)('objectives on %s against PyTorch', (name) => {
  it('labels of the text: kronecker and element-second', async () => {
    const { checkpoint, windows } = await openFixture(name);
    using open = new OpenModel(runtime, checkpoint);
    const metrics = ['kronecker', 'element-second'] as const;
    const result = await importance(open.programs, open.store, windows, { structuresOf: open.structuresOf, metrics });
    for (const metric of metrics)
      expect(worst(result, metric, reference[name].text[metric]), metric).toBeLessThan(1e-5);
    expect(Object.keys(result.layers[0]?.mlp ?? {}).sort()).toEqual(['element-second', 'kronecker']);
  });

  it('labels drawn from the model: the Fisher information, in the mean of many draws', async () => {
    const { checkpoint, windows } = await openFixture(name);
    using open = new OpenModel(runtime, checkpoint);
    const metrics = ['kronecker', 'element-second', 'fisher'] as const;
    const drawn = (draws: number, seed: number) =>
      importance(open.programs, open.store, windows, {
        structuresOf: open.structuresOf,
        metrics,
        objective: { kind: 'model', draws, seed },
      });
    const result = await drawn(500, 1);
    const errors = metrics.map((metric) => worst(result, metric, reference[name].model[metric]));
    console.log(
      `${name}, 500 draws against all labels: ${metrics.map((metric, at) => `${metric} ${errors[at]?.toFixed(3)}`).join(', ')}`,
    );
    // Standard error of a mean of 1,000 squares, the largest of some 60 groups.
    for (const error of errors) expect(error).toBeLessThan(0.15);
    expect(worst(result, 'element-second', reference[name].text['element-second'])).toBeGreaterThan(0.3);
    expect((await drawn(1, 1)).layers).toEqual((await drawn(1, 1)).layers);
    expect((await drawn(1, 2)).layers).not.toEqual((await drawn(1, 1)).layers);
  });

  it.each([
    ['whole', 48],
    ['top8', 8],
  ] as const)('KL from a teacher, %s: its gradient', async (kept, top) => {
    const { checkpoint, windows } = await openFixture(name);
    using open = new OpenModel(runtime, checkpoint);
    using other = open.pruned(await planOf(name));
    const teacher = await teach(other.programs, other.store, windows, { top });
    const metrics = ['vector', 'element-second'] as const;
    const result = await importance(open.programs, open.store, windows, {
      structuresOf: open.structuresOf,
      metrics,
      objective: { kind: 'teacher', teacher },
    });
    for (const metric of metrics)
      expect(worst(result, metric, reference[name].teacher[kept][metric]), metric).toBeLessThan(1e-4);
    const { klDivergence, windowDivergences } = await divergenceFrom(open.programs, open.store, teacher);
    expect(klDivergence).toBeCloseTo(result.loss, 6);
    expect(windowDivergences.length).toBe(2);
  });

  it('KL from the dense model and the most probable tokens', async () => {
    const { checkpoint, windows } = await openFixture(name);
    using open = new OpenModel(runtime, checkpoint);
    using pruned = open.pruned(await planOf(name));
    const against = await DenseReference.of(open.programs, open.store, windows);
    const expected = reference[name].divergence;
    const found = await perplexity(pruned.programs, pruned.store, windows, { against });
    found.windowDivergences?.forEach((value, window) => {
      expect(Math.abs(value / (expected.windows[window] ?? Number.NaN) - 1)).toBeLessThan(1e-5);
    });
    const [first = 0, second = 0] = expected.windows;
    expect(found.klDivergence).toBeCloseTo((first + second) / 2, 6);
    expect(found.klStandardError).toBeCloseTo(Math.abs(first - second) / 2, 6);
    expect(found.top1Agreement).toBeCloseTo(expected.top1Agreement, 9);
    expect(found.perplexity).toBe((await perplexity(pruned.programs, pruned.store, windows)).perplexity);
    const itself = await perplexity(open.programs, open.store, windows, { against });
    expect(itself.klDivergence).toBeLessThan(1e-6);
    expect(itself.top1Agreement).toBe(1);
    const teacher = await teach(open.programs, open.store, windows, { top: 48 });
    const kept = await divergenceFrom(pruned.programs, pruned.store, teacher);
    expect(kept.klDivergence).toBeCloseTo(found.klDivergence ?? Number.NaN, 5);
    const coarse = await divergenceFrom(
      pruned.programs,
      pruned.store,
      await teach(open.programs, open.store, windows, { top: 8 }),
    );
    expect(coarse.klDivergence).toBeLessThan(kept.klDivergence);
  });
});
