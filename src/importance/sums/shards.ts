import { MismatchError, UsageError } from '../../errors.ts';
import type { CoupledStructure, MemberSlice } from '../structures/structures.ts';
import { emptySums, foldChannels, gradientMetrics, type StructureSums } from './accumulators.ts';
import type { Metric, ModuleScores } from './scores.ts';
import { columnMetrics } from './weight-metrics.ts';

/**
 * Exact sharding (docs/architecture.md section 9): every shard scores a part of the calibration windows and writes sums, one layer at a time; the sums of all shards add up to those of
 * one run, and the scores follow from them. The names, w a member weight of a coupled structure and s its kind, v_jm and e_j as in docs/method.md section 2:
 *
 * | sum | shape | for |
 * |---|---|---|
 * | `signed/{w}`, `signed-squares/{w}` | [groups] | sum_j v_jm and v_jm^2: `vector`, `vector-second` |
 * | `joint-squares/{s}` | [groups] | sum_j (sum_m v_jm)^2: `fisher` |
 * | `absolute/{s}`, `absolute-squares/{s}` | [groups] | sum_j e_j and e_j^2: `stability` |
 * | `second-channels/{w}` | [channels] | sum_j sum_k (w_k g_jk)^2 over a channel's weights: `element-second` |
 * | `first/{w}`, `second/{w}` | [rows * columns] | sum_j w g_j and (w g_j)^2 for every single weight: `element-first`, and both for `element-mixed` |
 * | `input-sum/{w}`, `input-squares/{w}` | [channels] | of a projection's inputs over all rows: `wanda`, `flap` |
 * | `cosine` | [1] | sum_j of the mean cosine of block input and output: `depth` |
 *
 * `element-first` and `element-mixed` take the absolute value after the mean over windows, so no sum smaller than one number per weight merges exactly: `first` is as large as the blocks.
 * It is written only where these metrics are asked for; all others, and so the default recipe, need a few numbers a channel.
 * Constants do not depend on the windows and are the same in every shard: `magnitude-l1/{s}`, `magnitude-l2/{s}` [groups], `column-absolute/{w}`, `column-squares/{w}` [channels], `outputs/{w}` [1].
 */
export interface LayerPartial {
  /** Calibration windows, and token positions, that the sums run over. */
  readonly windows: number;
  readonly rows: number;
  readonly sums: ReadonlyMap<string, Float32Array | Float64Array>;
  readonly constants: ReadonlyMap<string, Float32Array | Float64Array>;
}

/** The kinds of sums and constants that each metric is made from. */
const KINDS: Readonly<Record<Metric, readonly string[]>> = {
  vector: ['signed', 'signed-squares'],
  'vector-second': ['signed', 'signed-squares'],
  'element-first': ['first'],
  'element-second': ['second-channels'],
  'element-mixed': ['first', 'second'],
  fisher: ['joint-squares'],
  stability: ['absolute', 'absolute-squares'],
  'magnitude-l1': ['magnitude-l1'],
  'magnitude-l2': ['magnitude-l2'],
  wanda: ['input-sum', 'input-squares', 'column-absolute', 'column-squares', 'outputs'],
  flap: ['input-sum', 'input-squares', 'column-absolute', 'column-squares', 'outputs'],
  'flap-standardised': ['input-sum', 'input-squares', 'column-absolute', 'column-squares', 'outputs'],
  depth: ['cosine'],
};

/** The kinds of sums (the part of a name before '/') that a shard must keep for these metrics. */
export function sumsFor(metrics: readonly Metric[]): ReadonlySet<string> {
  return new Set(metrics.flatMap((metric) => KINDS[metric]));
}

/** Windows [start, end) of shard `index` of `count`: contiguous parts whose sizes differ by one at most. Throws UsageError for a shard that there is not, or that has no window. */
export function shardRange(
  windows: number,
  index: number,
  count: number,
): { readonly start: number; readonly end: number } {
  if (!Number.isSafeInteger(count) || !Number.isSafeInteger(index) || index < 0 || index >= count) {
    throw new UsageError(`There is no shard ${index} of ${count}; shards are numbered 0 to the count less one.`);
  }
  if (count > windows)
    throw new UsageError(
      `${windows} calibration windows cannot be split into ${count} shards; ask for ${windows} or fewer.`,
    );
  return { start: Math.floor((windows * index) / count), end: Math.floor((windows * (index + 1)) / count) };
}

/**
 * The sums of one layer over the windows of all shards, in the order given (so give them in the order of their index: the result is then the same whatever
 * order they finished in). Throws MismatchError where shards hold different sums or belong to different weights, and UsageError for no shard.
 */
export function mergeLayer(
  shards: readonly LayerPartial[],
  numbers: readonly number[] = shards.map((_, index) => index),
): LayerPartial {
  const [first, ...others] = shards;
  if (!first) throw new UsageError('There are no shards to merge.');
  const sums = new Map([...first.sums].map(([name, values]) => [name, values.slice()]));
  for (const [index, shard] of others.entries()) {
    checkSame(first, shard, numbers[0] ?? 0, numbers[index + 1] ?? index + 1);
    for (const [name, total] of sums) {
      const values = shard.sums.get(name) ?? [];
      for (let i = 0; i < total.length; i++) total[i] = (total[i] as number) + (values[i] as number);
    }
  }
  const add = (count: (shard: LayerPartial) => number) => shards.reduce((total, shard) => total + count(shard), 0);
  return { windows: add(({ windows }) => windows), rows: add(({ rows }) => rows), sums, constants: first.constants };
}

function checkSame(first: LayerPartial, other: LayerPartial, zero: number, index: number): void {
  for (const kind of ['sums', 'constants'] as const) {
    for (const name of new Set([...first[kind].keys(), ...other[kind].keys()])) {
      const [a, b] = [first[kind].get(name), other[kind].get(name)];
      if (!a || !b)
        throw new MismatchError(
          `Shard ${a ? index : zero} has no "${name}" and shard ${a ? zero : index} has. Score all shards with the same metrics.`,
        );
      if (a.length !== b.length)
        throw new MismatchError(
          `"${name}" has ${a.length} numbers in shard ${zero} and ${b.length} in shard ${index}. Score all shards with the same model.`,
        );
      if (kind === 'constants' && a.some((value, i) => value !== b[i]))
        throw new MismatchError(
          `"${name}" differs between shards ${zero} and ${index}: they scored different weights.`,
        );
    }
  }
}

/** The scores of one layer's structures from its sums: every metric whose sums are there. Values are those of an unsharded run but for rounding. */
export function layerScores(
  partial: LayerPartial,
  structures: readonly CoupledStructure[],
): Readonly<Record<'attention' | 'mlp', ModuleScores>> {
  const scores: Record<'attention' | 'mlp', ModuleScores> = { attention: {}, mlp: {} };
  for (const structure of structures) scores[structure.kind] = structureScores(partial, structure);
  return scores;
}

function structureScores(partial: LayerPartial, structure: CoupledStructure): ModuleScores {
  const { windows, sums, constants } = partial;
  const { kind, groups, members } = structure;
  const found: Partial<Record<Metric, Float32Array>> = {};
  const keep = (metrics: ModuleScores, ...names: readonly Metric[]) => {
    for (const name of names) if (metrics[name]) found[name] = metrics[name];
  };
  const everyMember = (prefix: string) => members.every(({ weight }) => sums.has(`${prefix}/${weight}`));

  const gradient = gradientMetrics(structureSums(partial, structure));
  if (everyMember('signed') && everyMember('signed-squares')) keep(gradient, 'vector', 'vector-second');
  if (sums.has(`joint-squares/${kind}`)) keep(gradient, 'fisher');
  if (sums.has(`absolute/${kind}`) && sums.has(`absolute-squares/${kind}`)) keep(gradient, 'stability');
  if (everyMember('second-channels')) keep(gradient, 'element-second');
  if (everyMember('first')) keep(gradient, 'element-first');
  if (everyMember('first') && everyMember('second')) keep(gradient, 'element-mixed');

  const inputs = members.filter(({ weight }) => sums.has(`input-squares/${weight}`));
  if (inputs.length > 0)
    keep(inputMetrics(partial, { ...structure, members: inputs }), 'wanda', 'flap', 'flap-standardised');
  for (const metric of ['magnitude-l1', 'magnitude-l2'] as const) {
    const values = constants.get(`${metric}/${kind}`);
    if (values) found[metric] = Float32Array.from(values);
  }
  const cosine = sums.get('cosine')?.[0];
  if (cosine !== undefined) found.depth = new Float32Array(groups).fill(1 - cosine / windows);
  return found;
}

/** The sums of a partial in the form from which an unsharded run computes its metrics. Sums that are not there stay zero. */
function structureSums({ windows, sums }: LayerPartial, structure: CoupledStructure): StructureSums {
  const { kind, members } = structure;
  const result = emptySums(structure);
  result.windows = windows;
  const copy = (name: string, into: Float64Array | undefined) => into?.set(sums.get(name) ?? []);
  copy(`joint-squares/${kind}`, result.jointSquares);
  copy(`absolute/${kind}`, result.absolute);
  copy(`absolute-squares/${kind}`, result.absoluteSquares);
  for (const { weight, axis, groupOfChannel } of members) {
    copy(`signed/${weight}`, result.signed.get(weight));
    copy(`signed-squares/${weight}`, result.signedSquares.get(weight));
    const channels = groupOfChannel.length;
    const first = sums.get(`first/${weight}`);
    const second = sums.get(`second/${weight}`);
    const squares = sums.get(`second-channels/${weight}`);
    if (squares)
      foldChannels(
        Float64Array.from(squares, (value) => value / windows),
        groupOfChannel,
        result.elementSecond,
      );
    if (first)
      foldChannels(
        perChannel(first.length, channels, axis, (k) => Math.abs((first[k] as number) / windows)),
        groupOfChannel,
        result.elementFirst,
      );
    if (!first || !second) continue;
    const mixed = (k: number) => Math.abs((first[k] as number) / windows - (second[k] as number) / windows / 2);
    foldChannels(perChannel(first.length, channels, axis, mixed), groupOfChannel, result.elementMixed);
  }
  return result;
}

/** Sums a function of every weight of a row-major matrix over the weights of each channel (a row for axis 0, a column for axis 1). */
function perChannel(
  weights: number,
  channels: number,
  axis: MemberSlice['axis'],
  value: (index: number) => number,
): Float64Array {
  const result = new Float64Array(channels);
  const columns = axis === 0 ? weights / channels : channels;
  for (let index = 0; index < weights; index++) {
    const channel = axis === 0 ? Math.floor(index / columns) : index % columns;
    result[channel] = (result[channel] as number) + value(index);
  }
  return result;
}

function inputMetrics({ rows, sums, constants }: LayerPartial, structure: CoupledStructure): ModuleScores {
  return columnMetrics(
    structure,
    ({ weight }) => {
      const [absolute, squares, outputs] = ['column-absolute', 'column-squares', 'outputs'].map((name) =>
        constants.get(`${name}/${weight}`),
      );
      return absolute && squares && { outputs: outputs?.[0] ?? 1, absolute, squares };
    },
    (weight) => ({
      rows,
      sum: sums.get(`input-sum/${weight}`) ?? [],
      squares: sums.get(`input-squares/${weight}`) ?? [],
    }),
  );
}
