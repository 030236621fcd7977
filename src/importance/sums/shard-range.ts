import { UsageError } from '../../errors.ts';

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
