import { type GroupTable, groupCount, type Segment } from '../../importance/structures/group-table.ts';

/**
 * Changes which neurons go so that every layer's kept width is a multiple of `multiple`, or is its whole width where nothing was removed. A layer's neurons still go
 * in `order`. As many layers are rounded up as keep the total within half a step of what it was; those with the largest remainders are.
 * `minimums` are groups that stay, per segment. Changes `gone` in place.
 */
export function roundWidths(
  table: GroupTable,
  order: Uint32Array,
  gone: Uint8Array,
  multiple: number,
  minimums: readonly number[],
): void {
  const layers = table.segments.flatMap((segment, index) => {
    const kept = groupCount(segment) - countGone(gone, segment);
    const isExpert = segment.minimum !== undefined;
    if (segment.module !== 'mlp' || isExpert || kept === groupCount(segment)) return [];
    const lower = Math.floor(kept / multiple) * multiple;
    const upper = Math.min(lower + multiple, groupCount(segment));
    return [
      { segment, lower, upper, remainder: kept - lower, mustRise: lower < Math.max(1, minimums[index] as number) },
    ];
  });
  const excess = layers.reduce((sum, { remainder }) => sum + remainder, 0);
  const rising = layers.filter(({ mustRise }) => mustRise);
  let raised = rising.reduce((sum, { upper, lower }) => sum + upper - lower, 0);
  const others = layers
    .filter(({ mustRise }) => !mustRise)
    .sort((a, b) => b.remainder - a.remainder || a.segment.layer - b.segment.layer);
  for (const layer of others) {
    // Rounding this one up as well must bring the total nearer to what it was.
    if (layer.remainder === 0 || raised + (layer.upper - layer.lower) / 2 > excess) continue;
    rising.push(layer);
    raised += layer.upper - layer.lower;
  }
  const widths = new Map(layers.map(({ segment, lower }) => [segment, lower]));
  for (const { segment, upper } of rising) widths.set(segment, upper);
  keepWidths(table, order, gone, widths);
}

/** Makes every segment of `widths` keep its last `width` groups in `order`. */
export function keepWidths(
  table: GroupTable,
  order: Uint32Array,
  gone: Uint8Array,
  widths: ReadonlyMap<Segment, number>,
): void {
  const removals = new Int32Array(table.length).fill(-1);
  const left = new Int32Array(table.segments.length);
  for (const [index, segment] of table.segments.entries()) {
    const width = widths.get(segment);
    if (width === undefined) continue;
    removals.fill(index, segment.start, segment.end);
    left[index] = groupCount(segment) - width;
  }
  for (const group of order) {
    const segment = removals[group] as number;
    if (segment < 0) continue;
    gone[group] = (left[segment] as number) > 0 ? 1 : 0;
    left[segment] = (left[segment] as number) - 1;
  }
}

function countGone(gone: Uint8Array, { start, end }: Segment): number {
  let count = 0;
  for (let i = start; i < end; i++) count += gone[i] as number;
  return count;
}
