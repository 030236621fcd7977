import type { CoupledStructure } from '../structures/structures.ts';
import type { ModuleScores } from './scores.ts';

/** Sums over calibration windows of one structure of one layer, in float64, from which every metric of docs/method.md section 2 follows. */
export interface StructureSums {
  windows: number;
  /** Per member weight: sum over windows of v_jm and of v_jm^2, [groups]. */
  readonly signed: Map<string, Float64Array>;
  readonly signedSquares: Map<string, Float64Array>;
  /** Sum over windows of (sum over members of v_jm)^2, [groups]. */
  readonly jointSquares: Float64Array;
  /** Sum over windows of e_j and e_j^2, [groups]. */
  readonly absolute: Float64Array;
  readonly absoluteSquares: Float64Array;
  /** Per-group element scores, already averaged over windows, [groups]. */
  readonly elementFirst: Float64Array;
  readonly elementSecond: Float64Array;
  readonly elementMixed: Float64Array;
}

export function emptySums({ groups, members }: CoupledStructure): StructureSums {
  const perMember = () => new Map(members.map(({ weight }) => [weight, new Float64Array(groups)]));
  const zeros = () => new Float64Array(groups);
  return {
    windows: 0,
    signed: perMember(),
    signedSquares: perMember(),
    jointSquares: zeros(),
    absolute: zeros(),
    absoluteSquares: zeros(),
    elementFirst: zeros(),
    elementSecond: zeros(),
    elementMixed: zeros(),
  };
}

/** Adds values per channel into values per group. */
export function foldChannels(
  channels: ArrayLike<number>,
  groupOfChannel: Int32Array,
  into: Float64Array,
): Float64Array {
  for (let channel = 0; channel < groupOfChannel.length; channel++) {
    const group = groupOfChannel[channel] ?? -1;
    if (group >= 0) into[group] = (into[group] ?? 0) + (channels[channel] ?? 0);
  }
  return into;
}

/** Takes v_jm of one window in, per channel by weight. */
export function addSigned(
  sums: StructureSums,
  structure: CoupledStructure,
  signed: (weight: string) => ArrayLike<number> | undefined,
): void {
  const joint = new Float64Array(structure.groups);
  for (const { weight, groupOfChannel } of structure.members) {
    const channels = signed(weight);
    if (!channels) continue;
    const values = foldChannels(channels, groupOfChannel, new Float64Array(structure.groups));
    accumulate(sums.signed.get(weight), values, 1);
    accumulate(sums.signedSquares.get(weight), values, 2);
    accumulate(joint, values, 1);
  }
  accumulate(sums.jointSquares, joint, 2);
  sums.windows++;
}

/** Takes the sums of |w g_j| per channel of one window in, by weight: e_j and its square. */
export function addAbsolute(
  sums: StructureSums,
  structure: CoupledStructure,
  absolute: (weight: string) => ArrayLike<number> | undefined,
): void {
  const total = new Float64Array(structure.groups);
  for (const { weight, groupOfChannel } of structure.members) {
    const channels = absolute(weight);
    if (channels) foldChannels(channels, groupOfChannel, total);
  }
  accumulate(sums.absolute, total, 1);
  accumulate(sums.absoluteSquares, total, 2);
}

function accumulate(target: Float64Array | undefined, values: Float64Array, power: 1 | 2): void {
  if (!target) return;
  for (let index = 0; index < target.length; index++) {
    const value = values[index] as number;
    target[index] = (target[index] as number) + (power === 1 ? value : value * value);
  }
}

/** The gradient metrics of docs/method.md section 2 from the sums; [groups] each, float32. */
export function gradientMetrics(sums: StructureSums): ModuleScores {
  const { windows } = sums;
  const groups = sums.jointSquares.length;
  const vector = new Float32Array(groups);
  const vectorSecond = new Float32Array(groups);
  const stability = new Float32Array(groups);
  for (let group = 0; group < groups; group++) {
    let first = 0;
    let second = 0;
    for (const [weight, signed] of sums.signed) {
      const mean = (signed[group] ?? 0) / windows;
      const meanSquare = (sums.signedSquares.get(weight)?.[group] ?? 0) / windows;
      first += Math.abs(mean);
      second += Math.abs(mean - meanSquare / 2);
    }
    vector[group] = first;
    vectorSecond[group] = second;
    const mean = (sums.absolute[group] ?? 0) / windows;
    const variance = Math.max(0, (sums.absoluteSquares[group] ?? 0) / windows - mean * mean);
    stability[group] = mean > 0 ? Math.sqrt(variance) / mean : 0;
  }
  return {
    vector,
    'vector-second': vectorSecond,
    fisher: Float32Array.from(sums.jointSquares, (value) => value / windows / 2),
    'element-first': Float32Array.from(sums.elementFirst),
    'element-second': Float32Array.from(sums.elementSecond),
    'element-mixed': Float32Array.from(sums.elementMixed),
    stability,
  };
}
