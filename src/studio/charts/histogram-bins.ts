/** One bar: how many groups with a value in [start, end) stay and go. */
export interface HistogramBin {
  readonly start: number;
  readonly end: number;
  readonly kept: number;
  readonly removed: number;
}

/** What the histogram counts: groups by their bar, with a flag, in any number of runs. */
export interface HistogramRun {
  /** The bar of every group: `barPositions`. */
  readonly bars: Uint8Array;
  /** 1 where the group is removed. */
  readonly removed: ArrayLike<number>;
}

/**
 * The bar of every value, of at most 256 of equal width on a logarithmic axis between `low` and `high`; what lies outside is in the first and last bar.
 * Made once for values, so that a plan is counted without a logarithm.
 */
export function barPositions(
  values: ArrayLike<number>,
  [low, high]: readonly [number, number],
  count: number,
): Uint8Array {
  const span = Math.log(high / low) || 1;
  return Uint8Array.from(values, (value) =>
    Math.min(count - 1, value > low ? Math.floor((Math.log(value / low) / span) * count) : 0),
  );
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

/** Counts what stays and what goes per bar. */
export function histogramBins(
  runs: readonly HistogramRun[],
  [low, high]: readonly [number, number],
  count: number,
): HistogramBin[] {
  const span = Math.log(high / low) || 1;
  const counts = new Uint32Array(2 * count);
  for (const { bars, removed } of runs)
    for (let index = 0; index < bars.length; index += 1) {
      const slot = 2 * (bars[index] ?? 0) + (removed[index] ? 1 : 0);
      counts[slot] = (counts[slot] ?? 0) + 1;
    }
  return Array.from({ length: count }, (_, bin) => ({
    start: low * Math.exp((span * bin) / count),
    end: low * Math.exp((span * (bin + 1)) / count),
    kept: counts[2 * bin] ?? 0,
    removed: counts[2 * bin + 1] ?? 0,
  }));
}
