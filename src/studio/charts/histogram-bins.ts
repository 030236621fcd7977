/** One bar: how many groups with a value in [start, end) stay and go. */
export interface HistogramBin {
  readonly start: number;
  readonly end: number;
  readonly kept: number;
  readonly removed: number;
}

/** What the histogram counts: values with a flag, in any number of runs. */
export interface HistogramRun {
  readonly values: ArrayLike<number>;
  /** 1 where the group is removed. */
  readonly removed: ArrayLike<number>;
}

/**
 * The bin edge that parts best what stays from what goes: fewest groups on the wrong side. Exact where the plan cuts by this very value, near it
 * where it weighs layers differently. Undefined when nothing goes.
 */
export function cutEdge(bins: readonly HistogramBin[]): number | undefined {
  let wrong = bins.reduce((sum, bin) => sum + bin.removed, 0);
  if (wrong === 0) return undefined;
  let [best, fewest]: [number | undefined, number] = [bins[0]?.start, wrong];
  for (const bin of bins) {
    wrong += bin.kept - bin.removed;
    if (wrong < fewest) [best, fewest] = [bin.end, wrong];
  }
  return best;
}

/** Bars of equal width on a logarithmic axis between `low` and `high`; what lies outside is counted in the first and last bar. */
export function histogramBins(runs: readonly HistogramRun[], domain: readonly [number, number], count: number): HistogramBin[] {
  const [low, high] = domain;
  const span = Math.log(high / low) || 1;
  const kept = new Uint32Array(count);
  const removed = new Uint32Array(count);
  for (const run of runs)
    for (let index = 0; index < run.values.length; index += 1) {
      const value = run.values[index] ?? 0;
      const position = value > low ? Math.floor((Math.log(value / low) / span) * count) : 0;
      const bin = Math.min(count - 1, position);
      const counts = run.removed[index] ? removed : kept;
      counts[bin] = (counts[bin] ?? 0) + 1;
    }
  return Array.from({ length: count }, (_, bin) => ({
    start: low * Math.exp((span * bin) / count),
    end: low * Math.exp((span * (bin + 1)) / count),
    kept: kept[bin] ?? 0,
    removed: removed[bin] ?? 0,
  }));
}
