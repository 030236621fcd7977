import type { HostTensor } from '../../runtime/runtime.ts';
import type { CoupledStructure, MemberSlice } from '../structures/structures.ts';
import { foldChannels } from './accumulators.ts';
import type { ModuleScores } from './scores.ts';

/** First and second moments of the input channels of one column member: sums over `rows` token positions. */
export interface ChannelMoments {
  readonly rows: number;
  readonly sum: ArrayLike<number>;
  readonly squares: ArrayLike<number>;
}

/** Magnitudes of a group: sum of |w| (`magnitude-l1`) and of w^2 (`magnitude-l2`) over all its weights. */
export function magnitudeMetrics(
  structure: CoupledStructure,
  weightOf: (weight: string) => HostTensor | undefined,
): ModuleScores {
  const first = new Float64Array(structure.groups);
  const second = new Float64Array(structure.groups);
  for (const member of structure.members) {
    const tensor = weightOf(member.weight);
    if (!tensor) continue;
    const { absolute, squares } = channelNorms(tensor, member.axis);
    foldChannels(absolute, member.groupOfChannel, first);
    foldChannels(squares, member.groupOfChannel, second);
  }
  return { 'magnitude-l1': Float32Array.from(first), 'magnitude-l2': Float32Array.from(second) };
}

/** Sums of |w| and w^2 over the `outputs` rows of each column of a projection. */
export interface ColumnNorms {
  readonly outputs: number;
  readonly absolute: ArrayLike<number>;
  readonly squares: ArrayLike<number>;
}

/**
 * Metrics of the output projections' columns (docs/method.md section 2): `wanda` = mean over rows of |W| times the root mean square of the input
 * channel, summed over a group's columns (Wanda-sp); `flap` = population variance of the input channel times the squared column norm,
 * averaged over a group's columns (FLAP, before standardisation); `flap-standardised` = z + sqrt(z^2 + 1) of the mean
 * z-score of a group's columns among all columns of the structure: in the order of FLAP's own metric, and positive as every score is.
 */
export function activationMetrics(
  structure: CoupledStructure,
  weightOf: (weight: string) => HostTensor | undefined,
  momentsOf: (weight: string) => ChannelMoments | undefined,
): ModuleScores {
  const normsOf = ({ weight, axis }: MemberSlice): ColumnNorms | undefined => {
    const tensor = weightOf(weight);
    return tensor && { outputs: tensor.shape[0] ?? 1, ...channelNorms(tensor, axis) };
  };
  return columnMetrics(structure, normsOf, momentsOf);
}

/** `activationMetrics` from the norms of the columns. */
export function columnMetrics(
  structure: CoupledStructure,
  normsOf: (member: MemberSlice) => ColumnNorms | undefined,
  momentsOf: (weight: string) => ChannelMoments | undefined,
): ModuleScores {
  const wanda = new Float64Array(structure.groups);
  const flap = new Float64Array(structure.groups);
  const standardised = new Float64Array(structure.groups);
  const channels = new Float64Array(structure.groups);
  for (const member of structure.members) {
    const moments = momentsOf(member.weight);
    const norms = moments && normsOf(member);
    if (!norms) continue;
    const { outputs, absolute, squares } = norms;
    const scaled = (value: (channel: number) => number) =>
      Float64Array.from(member.groupOfChannel, (_, channel) => value(channel));
    const meanSquare = (channel: number) => (moments.squares[channel] ?? 0) / moments.rows;
    const mean = (channel: number) => (moments.sum[channel] ?? 0) / moments.rows;
    foldChannels(
      scaled((channel) => ((absolute[channel] ?? 0) / outputs) * Math.sqrt(meanSquare(channel))),
      member.groupOfChannel,
      wanda,
    );
    const fluctuation = scaled(
      (channel) => Math.max(0, meanSquare(channel) - mean(channel) ** 2) * (squares[channel] ?? 0),
    );
    foldChannels(fluctuation, member.groupOfChannel, flap);
    foldChannels(zScores(fluctuation), member.groupOfChannel, standardised);
    foldChannels(
      scaled(() => 1),
      member.groupOfChannel,
      channels,
    );
  }
  const average = (values: Float64Array) => values.map((value, group) => value / Math.max(1, channels[group] ?? 1));
  return {
    wanda: Float32Array.from(wanda),
    flap: Float32Array.from(average(flap)),
    'flap-standardised': Float32Array.from(average(standardised), (z) => z + Math.sqrt(z * z + 1)),
  };
}

/** (x - mean) / standard deviation, population; zeros where all values are equal. */
function zScores(values: Float64Array): Float64Array {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  return values.map((value) => (deviation > 0 ? (value - mean) / deviation : 0));
}

export interface ChannelNorms {
  readonly absolute: Float64Array;
  readonly squares: Float64Array;
}

/** Several metrics ask for the norms of one weight; each is along one axis only. */
const known = new WeakMap<HostTensor, { readonly axis: MemberSlice['axis']; readonly norms: ChannelNorms }>();

/** Sums of |w| and w^2 per index of `axis`. */
export function channelNorms(tensor: HostTensor, axis: MemberSlice['axis']): ChannelNorms {
  const found = known.get(tensor);
  if (found?.axis === axis) return found.norms;
  const norms = computeNorms(tensor, axis);
  known.set(tensor, { axis, norms });
  return norms;
}

function computeNorms(tensor: HostTensor, axis: MemberSlice['axis']): ChannelNorms {
  const data = tensor.data as Float32Array;
  const rows = tensor.shape[0] ?? 1;
  const columns = data.length / rows;
  const size = axis === 0 ? rows : columns;
  const absolute = new Float64Array(size);
  const squares = new Float64Array(size);
  let index = 0;
  for (let row = 0; row < rows; row++) {
    if (axis === 0) {
      let [first, second] = [0, 0];
      for (const end = index + columns; index < end; index++) {
        const value = data[index] as number;
        first += Math.abs(value);
        second += value * value;
      }
      absolute[row] = first;
      squares[row] = second;
    } else {
      for (let column = 0; column < columns; column++, index++) {
        const value = data[index] as number;
        absolute[column] = (absolute[column] as number) + Math.abs(value);
        squares[column] = (squares[column] as number) + value * value;
      }
    }
  }
  return { absolute, squares };
}
