import type { LayerPlan } from '../../plan/plan.ts';
import { type BinnedValues, binEdges, binValues, descendingOrder, removedShares } from './bins.ts';
import type { CellMeans, CellShares } from './heatmap-draw.ts';
import {
  blockColumns,
  type HeatmapCell,
  type HeatmapLayout,
  type HeatmapModule,
  type HeatmapRow,
  USUAL_NOUNS,
} from './heatmap-layout.ts';
import { formatImportance } from './normalise.ts';

/** One module of one layer, arranged and binned. */
export interface ArrangedModule {
  readonly values: Float32Array;
  /** Items in layout order; undefined in place. */
  readonly order: Uint32Array | undefined;
  readonly edges: Uint32Array;
  readonly bins: BinnedValues;
  readonly noun: { readonly one: string; readonly many: string };
}

export type ArrangedRow = Readonly<Record<HeatmapModule, ArrangedModule>>;

/** Sorts (from most to least important) or leaves in place, and bins every row to the layout's columns. */
export function arrangeRows(
  rows: readonly HeatmapRow[],
  layout: HeatmapLayout,
  arrangement: 'sorted' | 'place',
): ArrangedRow[] {
  const arrange = ({ nouns = USUAL_NOUNS, ...row }: HeatmapRow, module: HeatmapModule): ArrangedModule => {
    const values = row[module];
    const order = arrangement === 'sorted' ? descendingOrder(values) : undefined;
    // A layer that has none, or none yet, has no cells.
    const edges =
      values.length === 0 ? Uint32Array.of(0) : binEdges(values.length, blockColumns(layout[module], values.length));
    return { values, order, edges, bins: binValues(values, order, edges), noun: nouns[module] };
  };
  return rows.map((row) => ({ attention: arrange(row, 'attention'), mlp: arrange(row, 'mlp') }));
}

/** What is painted of every cell, from above: its largest value, its mean, its smallest; so a bin shows how far its groups lie apart. */
export function cellBands(rows: readonly ArrangedRow[]): CellMeans[] {
  return (['max', 'mean', 'min'] as const).map((statistic) =>
    rows.map((row) => ({ attention: row.attention.bins[statistic], mlp: row.mlp.bins[statistic] })),
  );
}

/** The share of every cell that a plan removes; nothing without a plan. */
export function cellShares(rows: readonly ArrangedRow[], plan: readonly LayerPlan[] | undefined): CellShares {
  return rows.map((row, layer) => {
    const share = (module: HeatmapModule) => {
      const kept = plan?.[layer]?.[module];
      const { values, order, edges } = row[module];
      return kept ? removedShares(kept, values.length, order, edges) : new Float32Array(edges.length - 1);
    };
    return { attention: share('attention'), mlp: share('mlp') };
  });
}

/** What is known about a cell, in words. */
export interface CellReading {
  readonly title: string;
  readonly value: string;
  readonly fate: string;
}

/** Reads a cell out: which groups, their mean and spread, and how many of them the plan removes. */
export function readCell(rows: readonly ArrangedRow[], shares: CellShares, cell: HeatmapCell): CellReading | undefined {
  const module = rows[cell.layer]?.[cell.module];
  if (module === undefined || cell.column >= module.edges.length - 1) return undefined;
  const { order, edges, bins, values, noun } = module;
  const [start, end] = [edges[cell.column] ?? 0, edges[cell.column + 1] ?? 0];
  const count = end - start;
  const [mean = 0, low = 0, high = 0] = [bins.mean[cell.column], bins.min[cell.column], bins.max[cell.column]];
  const removed = Math.round((shares[cell.layer]?.[cell.module][cell.column] ?? 0) * count);
  const place = order ? `ranks ${start + 1}–${end} of ${values.length}` : `${start}–${end - 1}`;
  const single = order ? `${noun.one} ${order[start]} · rank ${start + 1} of ${values.length}` : `${noun.one} ${start}`;
  return {
    title: `Layer ${cell.layer} · ${count === 1 ? single : `${noun.many} ${place}`}`,
    value:
      count === 1
        ? formatImportance(mean)
        : `mean ${formatImportance(mean)}, from ${formatImportance(low)} to ${formatImportance(high)}`,
    fate:
      count === 1
        ? removed
          ? 'goes'
          : 'stays'
        : removed === 0
          ? 'all stay'
          : removed === count
            ? `all ${count} go`
            : `${removed} of ${count} go`,
  };
}
