import type { MemberSlice } from '../structures/structures.ts';

/** Adds values per channel into values per group. */
export function foldChannels(
  channels: ArrayLike<number>,
  groupOfChannel: Int32Array,
  into: Float64Array,
): Float64Array {
  for (let channel = 0; channel < groupOfChannel.length; channel++) {
    const group = groupOfChannel[channel] ?? -1;
    if (group >= 0) into[group] = (into[group] as number) + (channels[channel] as number);
  }
  return into;
}

/** Sums a function of every weight of a row-major matrix over the weights of each channel (a row for axis 0, a column for axis 1). */
export function perChannel(
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
