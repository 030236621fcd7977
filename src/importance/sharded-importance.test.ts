import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFixture } from '../architecture/testing/fixture.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { randomLlama } from '../export/testing/random-llama.ts';
import { OpenModel } from '../library/open-model.ts';
import { createRandom } from '../random.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { importance } from './importance.ts';
import type { LayerSums } from './sums/layer-sums.ts';
import { METRICS, type Metric } from './sums/scores.ts';
import { shardRange } from './sums/shard-range.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

const WINDOWS = 7;
const removedBlock = [
  { keyValueHeads: 2, neurons: 10 },
  { keyValueHeads: 0, neurons: 0 },
  { keyValueHeads: 1, neurons: 5 },
];
const models: readonly { readonly name: string; readonly open: () => Promise<Checkpoint> }[] = [
  { name: 'biases everywhere', open: async () => (await openFixture('llama-biases')).checkpoint },
  { name: 'fused projections', open: async () => (await openFixture('phi3')).checkpoint },
  {
    name: 'a removed block',
    open: async () => randomLlama({ hiddenSize: 16, headDimension: 8, neurons: 10, widths: removedBlock, seed: 3 }),
  },
];

async function partials(
  open: OpenModel,
  windows: readonly Int32Array[],
  metrics: readonly Metric[],
): Promise<LayerSums[]> {
  const layers: LayerSums[] = [];
  await importance(open.programs, open.store, windows, {
    structuresOf: open.structuresOf,
    metrics,
    windowsAre: 'part',
    onSums: (layer, sums) => {
      layers[layer] = sums;
    },
  });
  return layers;
}

describe.each(models)('shards of a model with $name', ({ open: openCheckpoint }) => {
  it('merge to the scores of one run in every metric', async () => {
    using open = new OpenModel(runtime, await openCheckpoint());
    const random = createRandom(2);
    const windows = Array.from({ length: WINDOWS }, () =>
      Int32Array.from({ length: 9 }, () => random.integer(open.config.vocabulary)),
    );
    const whole = await importance(open.programs, open.store, windows, { structuresOf: open.structuresOf });
    const shards: LayerSums[][] = [];
    for (let index = 0; index < 3; index++) {
      const { start, end } = shardRange(WINDOWS, index, 3);
      shards.push(await partials(open, windows.slice(start, end), METRICS));
    }
    for (const [layer, expected] of whole.layers.entries()) {
      const [merged, ...others] = shards.map((shard) => shard[layer] as LayerSums) as [LayerSums, ...LayerSums[]];
      for (const other of others) merged.merge(other);
      merged.close();
      expect(merged.windows).toBe(WINDOWS);
      const scores = merged.scores();
      for (const kind of ['attention', 'mlp'] as const) {
        expect(Object.keys(scores[kind]).sort()).toEqual(Object.keys(expected[kind]).sort());
        for (const [metric, values] of Object.entries(expected[kind])) {
          const largest = Math.max(...values.map(Math.abs));
          scores[kind][metric as Metric]?.forEach((value, group) => {
            expect(
              Math.abs(value - (values[group] ?? Number.NaN)),
              `${metric} of ${kind} ${group} in layer ${layer}`,
            ).toBeLessThan(2e-5 * largest + 1e-9);
          });
        }
      }
    }
  });
});

it('a shard keeps what its metrics need and no more', async () => {
  using open = new OpenModel(runtime, randomLlama({ layers: 1, hiddenSize: 16, headDimension: 8, neurons: 10 }));
  const windows = [Int32Array.of(1, 2, 3), Int32Array.of(4, 5, 6)];
  const [small] = await partials(open, windows, ['element-second', 'fisher']);
  const kinds = [...(small?.tensors().keys() ?? [])].map((name) => name.split('/')[0]);
  expect([...new Set(kinds)].sort()).toEqual(['joint-squares', 'second-channels']);
  const numbers = [...(small?.tensors().values() ?? [])].reduce((sum, values) => sum + values.length, 0);
  expect(numbers).toBeLessThan(200);
});
