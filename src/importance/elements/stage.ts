import type { DeviceTensor } from '../../runtime/runtime.ts';
import type { ProgressSums } from '../sums/layer-progress.ts';

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

/** What the element metrics of a layer follow from, by weight. */
export interface ElementResults {
  /** Sums of |w g_j| per channel of each window, in the order in which windows came. */
  readonly absolute: ReadonlyMap<string, readonly Float32Array[]>;
  readonly totals: ReadonlyMap<string, ElementTotals>;
}

/** Computes the element metrics of one layer from activations, batch by batch, holding the sums over windows of its weights. */
export interface ElementStage extends Disposable {
  /** Takes a batch in; it may be overwritten afterwards. */
  add(batch: MemberActivations): Promise<void>;
  /** The sums so far: `first/{w}`, `second/{w}` and `magnitudes/{w}` (`layer-progress.ts`). They are to be read before the next call. */
  progress(): Promise<ProgressSums>;
  /** Before the first batch: goes on from the sums of `windows` windows that a stage of the same kind gave, to the same bits. */
  takeUp(sums: ProgressSums, windows: number): Promise<void>;
  /** After the last batch. */
  finish(): Promise<ElementResults>;
  /** After `finish`: the sums over windows of w g_j ('first') or (w g_j)^2 ('second') for every single weight, [rows * columns] by weight. */
  sums(order: 'first' | 'second'): Promise<ReadonlyMap<string, Float32Array>>;
}
