import { describe, expect, it } from 'vitest';
import { MismatchError, UsageError } from '../../errors.ts';
import { createRandom } from '../../random.ts';
import type { CoupledStructure } from '../structures/structures.ts';
import { LayerSums } from './layer-sums.ts';
import { FAST_METRICS, keptSums, METRICS, needsOf } from './metrics.ts';
import { shardRange } from './shard-range.ts';
import { declaredSums, openSums, SUMS } from './sum-table.ts';

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
const layout = { structures: [structure], shapeOf: (weight: string) => (weight === 'up' ? [2, 3] : [3, 2]) };
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
function partial(start: number, end: number, without: RegExp = /^$/): LayerSums {
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
  return LayerSums.from(
    layout,
    { windows: end - start, rows: (end - start) * ROWS },
    [...sums, ...constants].filter(([name]) => !without.test(name)),
  );
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

/** Merged in this order, and closed. */
function joined([first, ...others]: readonly LayerSums[]): LayerSums {
  if (!first) throw new Error('nothing to join');
  for (const other of others) first.merge(other);
  first.close();
  return first;
}

describe('shards', () => {
  it.each([1, 2, 3, 7])('%i of them merge to the scores of one run, in every metric', (count) => {
    const shards = Array.from({ length: count }, (_, index) => {
      const { start, end } = shardRange(WINDOWS, index, count);
      return partial(start, end);
    });
    const { mlp } = joined(shards).scores();
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
    const missing = ['element-first', 'element-mixed'];
    const small = joined([partial(0, WINDOWS, /^(first|second)\//)]);
    expect(Object.keys(small.scores().mlp).sort()).toEqual(
      Object.keys(expected(0))
        .filter((metric) => !missing.includes(metric))
        .sort(),
    );
    expect(Object.keys(small.scores(['fisher', 'element-first']).mlp)).toEqual(['fisher']);
  });

  it('that do not belong together are refused', () => {
    const names = ['a', 'b'] as const;
    expect(() => partial(0, 3).merge(partial(3, 7, /^first\/up/), names)).toThrow('b has no "first/up" and a has.');
    expect(() => partial(0, 3, /^first\/up/).merge(partial(3, 7), names)).toThrow('a has no "first/up" and b has.');
    const odd = (name: 'cosine' | 'magnitude-l1', owner: string, length: number) => {
      const sums = partial(3, 7);
      sums.set(name, owner, new Float64Array(length));
      return sums;
    };
    expect(() => partial(0, 3).merge(odd('cosine', '', 2), names)).toThrow(MismatchError);
    expect(() => partial(0, 3).merge(odd('magnitude-l1', 'mlp', 2), names)).toThrow('they scored different weights');
    const closed = partial(3, 7);
    closed.close();
    const other = partial(0, 3);
    other.close();
    expect(() => other.merge(closed, names)).toThrow(/"first-total\/up" of a and b cannot be joined/);
  });
});

describe('the table of sums', () => {
  it('has nothing as large as the weights for the fast metrics, finished or in the middle of a layer', () => {
    const names = [
      ...keptSums(FAST_METRICS, 'all'),
      ...keptSums(FAST_METRICS, 'part'),
      ...openSums(needsOf(FAST_METRICS)),
    ];
    expect(names).toContain('own-energy');
    expect(names).toContain('gradient-energy');
    for (const name of names) expect(SUMS[name].per, name).not.toBe('weight');
    expect([...needsOf(FAST_METRICS)].sort()).toEqual(['energies', 'gradients']);
  });

  it('declares what each metric reads, and a part of a run keeps what adds up', () => {
    expect([...keptSums(['element-first', 'fisher'], 'all')]).toEqual(['first-total', 'joint-squares']);
    expect([...keptSums(['element-first', 'fisher'], 'part')]).toEqual(['first', 'bias-first', 'joint-squares']);
    for (const metric of METRICS)
      for (const name of keptSums([metric], 'part')) expect(SUMS[name].joins, `${metric}: ${name}`).not.toBe('never');
    expect(declaredSums(new Set(['first', 'bias-first', 'outputs', 'cosine', 'signed']), layout)).toEqual([
      { key: 'signed/up', type: 'F64', length: 2 },
      { key: 'signed/down', type: 'F64', length: 2 },
      { key: 'first/up', type: 'F32', length: 6 },
      { key: 'first/down', type: 'F32', length: 6 },
      { key: 'outputs/down', type: 'F64', length: 1 },
      { key: 'cosine', type: 'F64', length: 1 },
    ]);
  });
});
