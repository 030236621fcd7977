import type { DeviceTensor } from '../../runtime/runtime.ts';
import type { Numbers } from '../sums/sum-table.ts';

/** Inputs X [windows * tokens, in] and output gradients dY [windows * tokens, out] of every member over a batch of windows, by the values' names in the block. */
export interface MemberActivations {
  readonly windows: number;
  readonly tokens: number;
  readonly value: (name: string) => DeviceTensor;
}

/** Sums per channel of one weight over all windows: docs/method.md section 2. */
export interface ElementTotals {
  readonly elementFirst: ArrayLike<number>;
  readonly elementSecond: ArrayLike<number>;
  readonly elementMixed: ArrayLike<number>;
}

/** A sum of every single weight of a layer: w g_j over windows, or (w g_j)^2. */
export type WeightSum = 'first' | 'second';
export const WEIGHT_SUMS: readonly WeightSum[] = ['first', 'second'];

/** Computes the element metrics of one layer from activations, batch by batch, holding the sums over windows of its weights. */
export interface ElementStage extends Disposable {
  /** Takes a batch in; it may be overwritten afterwards. */
  add(batch: MemberActivations): Promise<void>;
  /** Sums of |w g_j| per channel, by weight, of the windows that are done since the last call, in the order in which they came. */
  magnitudes(): ReadonlyMap<string, readonly Float32Array[]>;
  /** Ends the windows that wait; then the sums so far of one weight, in the form of this engine. They are to be read before the next call. */
  progress(): Promise<(sum: WeightSum, weight: string) => Promise<Float32Array>>;
  /** Before the first batch: goes on from the sums of `windows` windows that a stage of the same kind gave, to the same bits. */
  restore(sums: (sum: WeightSum, weight: string) => Numbers, windows: number): Promise<void>;
  /** After the last batch: the totals by weight. */
  finish(): Promise<ReadonlyMap<string, ElementTotals>>;
  /** After `finish`: a sum of every single weight of one matrix, [rows * columns]. */
  sums(sum: WeightSum, weight: string): Promise<Float32Array>;
}
