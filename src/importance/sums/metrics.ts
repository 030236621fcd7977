import type { CoupledStructure, MemberSlice } from '../structures/structures.ts';
import { foldChannels } from './fold-channels.ts';
import { type Need, type Numbers, type SumName, sumKind } from './sum-table.ts';

/** The sums of one structure over all windows that they have seen. */
export interface SumsView {
  readonly structure: CoupledStructure;
  /** Calibration windows, and token positions. */
  readonly windows: number;
  readonly rows: number;
  /** Members that own a sum of this name. */
  readonly membersOf: (name: SumName) => readonly MemberSlice[];
  /** A sum of the structure, the layer or, by its name, a member. */
  readonly sum: (name: SumName, weight?: string) => Numbers;
}

interface MetricRule {
  readonly sums: readonly SumName[];
  /** [groups] */
  readonly score: (view: SumsView) => ArrayLike<number>;
}

/** Group metrics of docs/method.md section 2, and the score-based baselines that are computed in the same run: the sums that each reads, and its formula. */
const RULES = {
  vector: { sums: ['signed'], score: (view) => perMember(view, (mean) => Math.abs(mean)) },
  'vector-second': {
    sums: ['signed', 'signed-squares'],
    score: (view) => perMember(view, (mean, meanSquare) => Math.abs(mean - meanSquare() / 2)),
  },
  'element-first': { sums: ['first-total'], score: (view) => folded(view, 'first-total', (value) => value) },
  'element-second': {
    sums: ['second-channels'],
    score: (view) => folded(view, 'second-channels', (value) => value / view.windows),
  },
  'element-mixed': { sums: ['mixed-total'], score: (view) => folded(view, 'mixed-total', (value) => value) },
  fisher: {
    sums: ['joint-squares'],
    score: ({ sum, windows }) => Float64Array.from(sum('joint-squares'), (value) => value / windows / 2),
  },
  /** K-FAC's diagonal: the mean over windows of the squared gradient of w_oi taken as (sum_t dy_to^2) (sum_t x_ti^2) / (windows^2 * tokens), as if positions were independent of each other. */
  kronecker: { sums: ['own-energy', 'other-energy'], score: kronecker },
  stability: { sums: ['absolute', 'absolute-squares'], score: stability },
  'magnitude-l1': { sums: ['magnitude-l1'], score: ({ sum }) => sum('magnitude-l1') },
  'magnitude-l2': { sums: ['magnitude-l2'], score: ({ sum }) => sum('magnitude-l2') },
  /** Wanda-sp: mean over rows of |W| times the root mean square of the input channel, summed over a group's columns. */
  wanda: {
    sums: ['input-squares', 'column-absolute', 'outputs'],
    score: (view) =>
      foldColumns(view, ({ absolute, outputs, meanSquare }) =>
        meanSquare.map((value, channel) => ((absolute[channel] as number) / outputs) * Math.sqrt(value)),
      ),
  },
  /** FLAP before standardisation: population variance of the input channel times the squared column norm, averaged over a group's columns. */
  flap: {
    sums: ['input-sum', 'input-squares', 'column-squares'],
    score: (view) => averaged(view, foldColumns(view, fluctuation)),
  },
  /** Mean cosine of each window between a block's input and output, from one: ShortGPT's block influence, one value for the whole layer. */
  depth: {
    sums: ['cosine'],
    score: ({ structure, sum, windows }) =>
      new Float64Array(structure.groups).fill(1 - (sum('cosine')[0] ?? Number.NaN) / windows),
  },
  /** z + sqrt(z^2 + 1) of the mean z-score of a group's columns among all columns of the structure: in the order of FLAP's own metric, and positive as every score is. */
  'flap-standardised': {
    sums: ['input-sum', 'input-squares', 'column-squares'],
    score: (view) =>
      averaged(
        view,
        foldColumns(view, (column) => zScores(fluctuation(column))),
      ).map((z) => z + Math.sqrt(z * z + 1)),
  },
} as const satisfies Readonly<Record<string, MetricRule>>;

/** The name of a metric (docs/method.md section 3). */
export type Metric = keyof typeof RULES;
/** Every metric, in the order of score files. */
export const METRICS = Object.keys(RULES) as readonly Metric[];

/** What `fast` stands for: metrics that need no gradient of a weight, and whose sums are a few numbers for each channel. */
export const FAST_METRICS: readonly Metric[] = ['kronecker', 'fisher'];

const rule = (metric: Metric): MetricRule => RULES[metric];

/** The sums that a metric reads. */
export function sumsOf(metric: Metric): readonly SumName[] {
  return rule(metric).sums;
}

/** One metric of every group of a structure [groups], in float32. */
export function scoreOf(metric: Metric, view: SumsView): Float32Array {
  return Float32Array.from(rule(metric).score(view));
}

/** The sums that are kept of a finished layer for these metrics: of all windows of a run, or of a part of them, which is to be joined with others. */
export function keptSums(metrics: readonly Metric[], windows: 'all' | 'part'): ReadonlySet<SumName> {
  return new Set(
    metrics.flatMap(sumsOf).flatMap((name) => {
      return windows === 'part' && sumKind(name).joins === 'never' ? openFor(name) : [name];
    }),
  );
}

/** The sums from which another is closed. */
function openFor(name: SumName): readonly SumName[] {
  return (sumKind(name).closedFrom ?? []) as readonly SumName[];
}

/** What a run must compute for these metrics. */
export function needsOf(metrics: readonly Metric[]): ReadonlySet<Need> {
  const made = metrics.flatMap(sumsOf).flatMap((name) => [name, ...openFor(name)]);
  return new Set(made.map((name) => sumKind(name).needs));
}

function perMember(
  { structure, windows, sum }: SumsView,
  term: (mean: number, meanSquare: () => number) => number,
): Float64Array {
  const scores = new Float64Array(structure.groups);
  for (const { weight } of structure.members) {
    const signed = sum('signed', weight);
    for (let group = 0; group < scores.length; group++)
      scores[group] =
        (scores[group] as number) +
        term((signed[group] as number) / windows, () => (sum('signed-squares', weight)[group] as number) / windows);
  }
  return scores;
}

/** A sum per channel of every member, added up over the channels of each group. */
function folded({ structure, sum }: SumsView, name: SumName, value: (sum: number) => number): Float64Array {
  const scores = new Float64Array(structure.groups);
  for (const { weight, groupOfChannel } of structure.members)
    foldChannels(Float64Array.from(sum(name, weight), value), groupOfChannel, scores);
  return scores;
}

function kronecker({ structure, windows, rows, sum }: SumsView): Float64Array {
  const scores = new Float64Array(structure.groups);
  for (const { weight, groupOfChannel } of structure.members) {
    const other = sum('other-energy', weight);
    const products = Float64Array.from(
      sum('own-energy', weight),
      (own, channel) => (own * (other[channel] as number)) / (windows * rows),
    );
    foldChannels(products, groupOfChannel, scores);
  }
  return scores;
}

function stability({ structure, windows, sum }: SumsView): Float64Array {
  const [absolute, squares] = [sum('absolute'), sum('absolute-squares')];
  return Float64Array.from({ length: structure.groups }, (_, group) => {
    const mean = (absolute[group] as number) / windows;
    const variance = Math.max(0, (squares[group] as number) / windows - mean * mean);
    return mean > 0 ? Math.sqrt(variance) / mean : 0;
  });
}

/** One projection whose columns are grouped: moments of its input channels over token positions, norms of its columns. */
interface Column {
  readonly mean: Float64Array;
  readonly meanSquare: Float64Array;
  readonly absolute: ArrayLike<number>;
  readonly squares: ArrayLike<number>;
  readonly outputs: number;
}

function foldColumns(view: SumsView, value: (column: Column) => Float64Array): Float64Array {
  const { structure, rows, sum, membersOf } = view;
  const scores = new Float64Array(structure.groups);
  for (const { weight, groupOfChannel } of membersOf('input-squares')) {
    const mean = (name: SumName) => Float64Array.from(sum(name, weight), (total) => total / rows);
    const column = {
      get mean() {
        return mean('input-sum');
      },
      meanSquare: mean('input-squares'),
      get absolute() {
        return sum('column-absolute', weight);
      },
      get squares() {
        return sum('column-squares', weight);
      },
      get outputs() {
        return sum('outputs', weight)[0] ?? 1;
      },
    };
    foldChannels(value(column), groupOfChannel, scores);
  }
  return scores;
}

function fluctuation({ mean, meanSquare, squares }: Column): Float64Array {
  return meanSquare.map(
    (value, channel) => Math.max(0, value - (mean[channel] as number) ** 2) * (squares[channel] as number),
  );
}

/** Sums over a group's columns as means over them. */
function averaged({ structure, membersOf }: SumsView, values: Float64Array): Float64Array {
  const columns = new Float64Array(structure.groups);
  for (const { groupOfChannel } of membersOf('input-squares'))
    foldChannels(new Float64Array(groupOfChannel.length).fill(1), groupOfChannel, columns);
  return values.map((value, group) => value / Math.max(1, columns[group] ?? 1));
}

/** (x - mean) / standard deviation, population; zeros where all values are equal. */
function zScores(values: Float64Array): Float64Array {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  return values.map((value) => (deviation > 0 ? (value - mean) / deviation : 0));
}
