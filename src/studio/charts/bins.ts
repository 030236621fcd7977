/** Statistics of the values that fall in each of a row's bins, all [bins]. */
export interface BinnedValues {
  readonly mean: Float32Array;
  readonly min: Float32Array;
  readonly max: Float32Array;
}

/** First item of every bin, and the count at the end: [bins + 1]. `items` are spread over at most `bins` bins as evenly as whole items allow. */
export function binEdges(items: number, bins: number): Uint32Array {
  const count = Math.max(1, Math.min(items, Math.floor(bins)));
  return Uint32Array.from({ length: count + 1 }, (_, index) => Math.round((index * items) / count));
}

/** Indices from the largest value to the smallest; equal values keep their order. */
export function descendingOrder(values: Float32Array): Uint32Array {
  return Uint32Array.from(values.keys()).sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0) || a - b);
}

/** Mean, smallest and largest value per bin. `order` lists the items as they are laid out; without it they stand in place. */
export function binValues(values: Float32Array, order: Uint32Array | undefined, edges: Uint32Array): BinnedValues {
  const bins = edges.length - 1;
  const mean = new Float32Array(bins);
  const min = new Float32Array(bins);
  const max = new Float32Array(bins);
  for (let bin = 0; bin < bins; bin += 1) {
    const [start, end] = [edges[bin] ?? 0, edges[bin + 1] ?? 0];
    let [sum, low, high] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let position = start; position < end; position += 1) {
      const value = values[order ? (order[position] ?? 0) : position] ?? 0;
      sum += value;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    mean[bin] = sum / (end - start);
    min[bin] = low;
    max[bin] = high;
  }
  return { mean, min, max };
}

/** Share of every bin's items that a plan removes, 0 … 1, [bins]. `kept` are the item indices that stay. */
export function removedShares(
  kept: readonly number[],
  items: number,
  order: Uint32Array | undefined,
  edges: Uint32Array,
): Float32Array {
  const stays = new Uint8Array(items);
  for (const index of kept) stays[index] = 1;
  const bins = edges.length - 1;
  const shares = new Float32Array(bins);
  for (let bin = 0; bin < bins; bin += 1) {
    const [start, end] = [edges[bin] ?? 0, edges[bin + 1] ?? 0];
    let removed = 0;
    for (let position = start; position < end; position += 1)
      removed += 1 - (stays[order ? (order[position] ?? 0) : position] ?? 0);
    shares[bin] = removed / (end - start);
  }
  return shares;
}
