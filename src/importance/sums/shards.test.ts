import { describe, expect, it } from 'vitest';
import { MismatchError, UsageError } from '../../errors.ts';
import { createRandom } from '../../random.ts';
import type { CoupledStructure } from '../structures/structures.ts';
import { type LayerPartial, layerScores, mergeLayer, shardRange } from './shards.ts';

/** Two neurons: rows of `up` [2, 3], columns of `down` [3, 2]. */
const GROUPS = 2;
const HIDDEN = 3;
const own = Int32Array.of(0, 1);
const structure: CoupledStructure = {
  kind: 'mlp',
  groups: GROUPS,
  parametersPerGroup: 2 * HIDDEN,
  members: [
    { weight: 'up', axis: 0, groupOfChannel: own },
    { weight: 'down', axis: 1, groupOfChannel: own },
  ],
};
const WINDOWS = 7;
const ROWS = 5;
const random = createRandom(4);
const draw = (count: number) => Float64Array.from({ length: count }, () => random.normal());
const weights = { up: draw(6), down: draw(6) };
const windows = Array.from({ length: WINDOWS }, () => ({
  gradients: { up: draw(6), down: draw(6) },
  inputs: draw(ROWS * GROUPS),
  cosine: 0.9 + 0.1 * random.uniform(),
}));

type Name = 'up' | 'down';
/** Indices of the weights of one group in one matrix. */
const slice = (name: Name, group: number) =>
  Array.from({ length: HIDDEN }, (_, k) => (name === 'up' ? group * HIDDEN + k : k * GROUPS + group));
const product = (window: number, name: Name, k: number) =>
  (weights[name][k] ?? 0) * (windows[window]?.gradients[name][k] ?? 0);
const total = <T>(values: Iterable<T>, value: (item: T) => number) =>
  [...values].reduce((sum, item) => sum + value(item), 0);
const names = ['up', 'down'] as const;

/** The sums over windows [start, end), written out from the definitions. */
function partial(start: number, end: number): LayerPartial {
  const indices = Array.from({ length: end - start }, (_, i) => start + i);
  const groups = [0, 1];
  const signed = (j: number, name: Name, group: number) => total(slice(name, group), (k) => product(j, name, k));
  const absolute = (j: number, group: number) =>
    total(names, (name) => total(slice(name, group), (k) => Math.abs(product(j, name, k))));
  const perGroup = (value: (group: number) => number) => Float64Array.from(groups, value);
  const sums = new Map<string, Float32Array | Float64Array>();
  for (const name of names) {
    sums.set(
      `signed/${name}`,
      perGroup((group) => total(indices, (j) => signed(j, name, group))),
    );
    sums.set(
      `signed-squares/${name}`,
      perGroup((group) => total(indices, (j) => signed(j, name, group) ** 2)),
    );
    sums.set(
      `second-channels/${name}`,
      perGroup((group) => total(indices, (j) => total(slice(name, group), (k) => product(j, name, k) ** 2))),
    );
    sums.set(
      `first/${name}`,
      Float32Array.from({ length: 6 }, (_, k) => total(indices, (j) => product(j, name, k))),
    );
    sums.set(
      `second/${name}`,
      Float32Array.from({ length: 6 }, (_, k) => total(indices, (j) => product(j, name, k) ** 2)),
    );
  }
  sums.set(
    'joint-squares/mlp',
    perGroup((group) => total(indices, (j) => total(names, (name) => signed(j, name, group)) ** 2)),
  );
  sums.set(
    'absolute/mlp',
    perGroup((group) => total(indices, (j) => absolute(j, group))),
  );
  sums.set(
    'absolute-squares/mlp',
    perGroup((group) => total(indices, (j) => absolute(j, group) ** 2)),
  );
  const inputs = (j: number, group: number) =>
    Array.from({ length: ROWS }, (_, row) => windows[j]?.inputs[row * GROUPS + group] ?? 0);
  sums.set(
    'input-sum/down',
    perGroup((group) => total(indices, (j) => total(inputs(j, group), (x) => x))),
  );
  sums.set(
    'input-squares/down',
    perGroup((group) => total(indices, (j) => total(inputs(j, group), (x) => x * x))),
  );
  sums.set('cosine', Float64Array.of(total(indices, (j) => windows[j]?.cosine ?? 0)));
  const constants = new Map([
    [
      'magnitude-l1/mlp',
      perGroup((group) => total(names, (name) => total(slice(name, group), (k) => Math.abs(weights[name][k] ?? 0)))),
    ],
    ['column-absolute/down', perGroup((group) => total(slice('down', group), (k) => Math.abs(weights.down[k] ?? 0)))],
    ['column-squares/down', perGroup((group) => total(slice('down', group), (k) => (weights.down[k] ?? 0) ** 2))],
    ['outputs/down', Float64Array.of(HIDDEN)],
  ]);
  return { windows: end - start, rows: (end - start) * ROWS, sums, constants };
}

/** docs/method.md section 2 over all windows at once, one group. */
function expected(group: number): Record<string, number> {
  const all = Array.from({ length: WINDOWS }, (_, j) => j);
  const mean = (value: (j: number) => number) => total(all, value) / WINDOWS;
  const v = (name: Name) => (j: number) => total(slice(name, group), (k) => product(j, name, k));
  const e = (j: number) => total(names, (name) => total(slice(name, group), (k) => Math.abs(product(j, name, k))));
  const elements = (value: (name: Name, k: number) => number) =>
    total(names, (name) => total(slice(name, group), (k) => value(name, k)));
  const inputsOf = (channel: number) =>
    windows.flatMap(({ inputs: x }) => Array.from({ length: ROWS }, (_, row) => x[row * GROUPS + channel] ?? 0));
  const inputs = inputsOf(group);
  const fluctuation = (channel: number) => {
    const values = inputsOf(channel);
    const centre = total(values, (x) => x) / values.length;
    return (
      (total(values, (x) => (x - centre) ** 2) / values.length) *
      total(slice('down', channel), (k) => (weights.down[k] ?? 0) ** 2)
    );
  };
  const channels = Array.from({ length: GROUPS }, (_, channel) => fluctuation(channel));
  const centre = total(channels, (x) => x) / GROUPS;
  const z = (fluctuation(group) - centre) / Math.sqrt(total(channels, (x) => (x - centre) ** 2) / GROUPS);
  return {
    vector: total(names, (name) => Math.abs(mean(v(name)))),
    'vector-second': total(names, (name) => Math.abs(mean(v(name)) - mean((j) => v(name)(j) ** 2) / 2)),
    fisher: mean((j) => total(names, (name) => v(name)(j)) ** 2) / 2,
    stability: Math.sqrt(mean((j) => (e(j) - mean(e)) ** 2)) / mean(e),
    'element-first': elements((name, k) => Math.abs(mean((j) => product(j, name, k)))),
    'element-second': elements((name, k) => mean((j) => product(j, name, k) ** 2)),
    'element-mixed': elements((name, k) =>
      Math.abs(mean((j) => product(j, name, k)) - mean((j) => product(j, name, k) ** 2) / 2),
    ),
    'magnitude-l1': elements((name, k) => Math.abs(weights[name][k] ?? 0)),
    wanda:
      (total(slice('down', group), (k) => Math.abs(weights.down[k] ?? 0)) / HIDDEN) *
      Math.sqrt(total(inputs, (x) => x * x) / inputs.length),
    flap: fluctuation(group),
    'flap-standardised': z + Math.sqrt(z * z + 1),
    depth: 1 - mean((j) => windows[j]?.cosine ?? 0),
  };
}

describe('shards', () => {
  it.each([1, 2, 3, 7])('%i of them merge to the scores of one run, in every metric', (count) => {
    const shards = Array.from({ length: count }, (_, index) => {
      const { start, end } = shardRange(WINDOWS, index, count);
      return partial(start, end);
    });
    const { mlp } = layerScores(mergeLayer(shards), [structure]);
    for (const group of [0, 1]) {
      const wanted = expected(group);
      expect(Object.keys(mlp).sort()).toEqual(Object.keys(wanted).sort());
      for (const [metric, value] of Object.entries(wanted)) {
        const found = mlp[metric as 'vector']?.[group] ?? Number.NaN;
        expect(Math.abs(found - value), `${metric} of group ${group}`).toBeLessThan(2e-6 * Math.abs(value));
      }
    }
  });

  it('give every window to one shard', () => {
    for (const [windowCount, count] of [
      [64, 7],
      [5, 5],
      [9, 1],
    ] as const) {
      const ranges = Array.from({ length: count }, (_, index) => shardRange(windowCount, index, count));
      expect(ranges.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i))).toEqual(
        Array.from({ length: windowCount }, (_, i) => i),
      );
      const sizes = ranges.map(({ start, end }) => end - start);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    }
    expect(() => shardRange(4, 4, 4)).toThrow('no shard 4 of 4');
    expect(() => shardRange(4, 0, 5)).toThrow(UsageError);
  });

  it('without sums of single weights give every metric but element-first and element-mixed', () => {
    const whole = partial(0, WINDOWS);
    const small = { ...whole, sums: new Map([...whole.sums].filter(([name]) => !/^(first|second)\//.test(name))) };
    const missing = ['element-first', 'element-mixed'];
    expect(Object.keys(layerScores(small, [structure]).mlp).sort()).toEqual(
      Object.keys(expected(0))
        .filter((metric) => !missing.includes(metric))
        .sort(),
    );
  });

  it('that do not belong together are refused', () => {
    const [a, b] = [partial(0, 3), partial(3, 7)];
    const without: LayerPartial = { ...b, sums: new Map([...b.sums].filter(([name]) => name !== 'first/up')) };
    expect(() => mergeLayer([a, without])).toThrow('Shard 1 has no "first/up" and shard 0 has.');
    expect(() => mergeLayer([without, a])).toThrow('Shard 0 has no "first/up" and shard 1 has.');
    expect(() => mergeLayer([a, { ...b, sums: new Map([...b.sums, ['cosine', new Float64Array(2)]]) }])).toThrow(
      MismatchError,
    );
    expect(() =>
      mergeLayer([a, { ...b, constants: new Map([...b.constants, ['magnitude-l1/mlp', new Float64Array(2)]]) }]),
    ).toThrow('they scored different weights');
    expect(() => mergeLayer([])).toThrow(UsageError);
    expect(a).toEqual(partial(0, 3));
  });
});
