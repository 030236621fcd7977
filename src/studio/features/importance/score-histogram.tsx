import { useMemo } from 'react';
import type { LayerPlan } from '../../../plan/plan.ts';
import type { HeatmapRow } from '../../charts/heatmap-layout.ts';
import { Histogram } from '../../charts/histogram.tsx';
import { barPositions, cutEdge, type HistogramRun, histogramBins } from '../../charts/histogram-bins.ts';
import { useWidth } from '../../charts/use-width.ts';

const BARS = 56;

/** How the shown importance is spread over all groups, and which part of it goes. */
export function ScoreHistogram({
  rows,
  plan,
  unit,
  height = 96,
}: {
  readonly rows: readonly HeatmapRow[];
  readonly plan: readonly LayerPlan[] | undefined;
  readonly unit: string;
  readonly height?: number;
}) {
  const { ref, width } = useWidth<HTMLElement>();
  const domain = useMemo(() => positiveDomain(rows), [rows]);
  const bars = useMemo(
    () =>
      rows.map((row) => ({
        attention: barPositions(row.attention, domain, BARS),
        mlp: barPositions(row.mlp, domain, BARS),
      })),
    [rows, domain],
  );
  const bins = useMemo(() => histogramBins(runsOf(bars, plan), domain, BARS), [bars, plan, domain]);
  const removed = bins.reduce((sum, bin) => sum + bin.removed, 0);
  const total = bins.reduce((sum, bin) => sum + bin.removed + bin.kept, 0);
  return (
    <figure className="score-histogram" ref={ref}>
      <figcaption>
        groups by {unit} <span className="key-kept">stay</span> <span className="key-cut">go</span>
      </figcaption>
      <Histogram
        bins={bins}
        threshold={cutEdge(bins)}
        width={Math.max(120, width)}
        height={height}
        label={`Histogram of ${unit}: ${removed} of ${total} groups go`}
      />
    </figure>
  );
}

function positiveDomain(rows: readonly HeatmapRow[]): readonly [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, 0];
  for (const row of rows)
    for (const values of [row.attention, row.mlp])
      for (const value of values) {
        if (value > 0 && value < low) low = value;
        if (value > high) high = value;
      }
  return high > 0 ? [Math.max(low, high * 1e-7), high] : [0.1, 1];
}

function runsOf(
  rows: readonly Readonly<Record<'attention' | 'mlp', Uint8Array>>[],
  plan: readonly LayerPlan[] | undefined,
): HistogramRun[] {
  return rows.flatMap((row, layer) =>
    (['attention', 'mlp'] as const).map((module) => {
      const removed = new Uint8Array(row[module].length).fill(plan?.[layer] ? 1 : 0);
      for (const index of plan?.[layer]?.[module] ?? []) removed[index] = 0;
      return { bars: row[module], removed };
    }),
  );
}
