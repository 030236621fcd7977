/** An estimate with the interval that holds the true value with the confidence that was asked for. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/**
 * The ratio of two quantities that were measured in pairs, from the logarithms of the pairs' ratios: the Hodges-Lehmann estimate with the interval of
 * Wilcoxon's signed ranks (Hodges and Lehmann 1963; Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, section 3.3). It supposes only that the
 * noise of a pair is as likely to favour the one as the other, and up to 29% of the pairs may be off by any amount. With fewer pairs than the
 * confidence takes the interval is everything: 0 to Infinity.
 */
export function pairedRatio(logRatios: readonly number[], confidence: number): Estimate {
  const means = walshAverages(logRatios);
  const cut = signedRankCut(logRatios.length, confidence);
  const value = Math.exp(median(means));
  if (cut === undefined) return { value, low: 0, high: Number.POSITIVE_INFINITY };
  return {
    value,
    low: Math.exp(means[cut] ?? Number.NEGATIVE_INFINITY),
    high: Math.exp(means[means.length - 1 - cut] ?? Number.POSITIVE_INFINITY),
  };
}

/**
 * The median with the interval of the sign test: between two of the values in order (Thompson 1936). It supposes nothing of their distribution. With
 * fewer values than the confidence takes, the interval is from the least to the greatest of them.
 */
export function medianEstimate(values: readonly number[], confidence: number): Estimate {
  const sorted = Float64Array.from(values).sort();
  const count = sorted.length;
  let [cut, tail, probability] = [0, 0, 0.5 ** count];
  // The tail of a binomial distribution with chance 1/2: that `cut` values or fewer lie on one side.
  for (; cut < count >> 1; cut += 1) {
    tail += probability;
    if (2 * tail > 1 - confidence) break;
    probability *= (count - cut) / (cut + 1);
  }
  const at = Math.max(0, cut - 1);
  return { value: median(sorted), low: sorted[at] ?? Number.NaN, high: sorted[count - 1 - at] ?? Number.NaN };
}

/** The mean of the middle half of the values: exact for clocks that tick coarsely, and blind to a pause here and there. */
export function midmean(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const cut = sorted.length >> 2;
  const middle = sorted.subarray(cut, sorted.length - cut);
  return middle.reduce((sum, value) => sum + value, 0) / middle.length;
}

/** Means of all pairs of values, each with itself too, in ascending order. */
function walshAverages(values: readonly number[]): Float64Array {
  const count = values.length;
  const means = new Float64Array((count * (count + 1)) / 2);
  let at = 0;
  for (let first = 0; first < count; first += 1)
    for (let second = first; second < count; second += 1)
      means[at++] = ((values[first] as number) + (values[second] as number)) / 2;
  return means.sort();
}

/**
 * How many of the ordered Walsh averages lie outside on either side: the most whose chance under the exact distribution of the signed-rank sum is at most
 * (1 - confidence) / 2. Undefined where there are too few values for any.
 */
function signedRankCut(count: number, confidence: number): number | undefined {
  const largest = (count * (count + 1)) / 2;
  // chances[sum]: that the ranks with a positive sign, each with chance 1/2, add up to it.
  let chances = new Float64Array(largest + 1);
  chances[0] = 1;
  for (let rank = 1; rank <= count; rank += 1) {
    const next = new Float64Array(largest + 1);
    for (let sum = 0; sum <= (rank * (rank + 1)) / 2; sum += 1)
      next[sum] = ((chances[sum] ?? 0) + (sum >= rank ? (chances[sum - rank] ?? 0) : 0)) / 2;
    chances = next;
  }
  let [tail, cut] = [0, -1];
  for (const chance of chances) {
    tail += chance;
    if (2 * tail > 1 - confidence) break;
    cut += 1;
  }
  return cut < 0 ? undefined : cut;
}

function median(sorted: ArrayLike<number>): number {
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
