import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFixture } from '../architecture/testing/fixture.ts';
import { OpenModel } from '../library/open-model.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type ImportanceResult, importance } from './importance.ts';
import type { Metric } from './sums/scores.ts';

/** Against what scripts/fixtures/objectives.py computes with PyTorch in float64. */
type Layers = readonly Readonly<Record<'attention' | 'mlp', readonly number[]>>[];
type Reference = Readonly<Record<'text' | 'model', Readonly<Record<Metric, Layers>>>>;

const reference = JSON.parse(
  await readFile(new URL('./fixtures/objectives.json', import.meta.url), 'utf8'),
) as Readonly<Record<'llama' | 'llama-biases', Reference>>;

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

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
});
