import type { DeviceTensor } from '../../runtime/runtime.ts';
import type { TensorPool } from './tensor-pool.ts';

export type Tensors = Readonly<Record<string, DeviceTensor>>;

/** What the backward pass of one layer starts from, for one run. */
export interface RunTrail {
  /** States that enter the layer, [windows, tokens, hiddenSize]. */
  readonly hidden: DeviceTensor;
  /** Where they fitted: activations by their names in the block, and the masks of the forward pass. */
  readonly kept?: { readonly values: Tensors; readonly masks: Tensors } | undefined;
}

/** What a forward pass leaves behind for the backward pass, by layer and run: the states that enter, and activations as far as a budget goes. Owns all of it. */
export class ActivationTrail implements Disposable {
  readonly #pool: TensorPool;
  readonly #layers = new Map<number, RunTrail[]>();
  #left: number;

  /** Activations and masks of at most `bytes` are kept. */
  constructor(pool: TensorPool, bytes: number) {
    this.#pool = pool;
    this.#left = bytes;
  }

  /** Whether so many bytes more fit; they count as spent then. */
  spend(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  /** Tensors that a run may write its results to; none where its results are as good. Give them to `keep` or `giveBack`. */
  targets(shapes: ReadonlyMap<string, readonly number[]>): Tensors {
    return this.#pool.reuses ? Object.fromEntries([...shapes].map(([name, shape]) => [name, this.#pool.take(shape)])) : {};
  }

  giveBack(values: Tensors): void {
    for (const value of Object.values(values)) this.#pool.give(value);
  }

  /** Takes over what a run of a layer leaves. Runs come in order. */
  keep(layer: number, run: RunTrail): void {
    const runs = this.#layers.get(layer) ?? [];
    this.#layers.set(layer, runs);
    runs.push(run);
  }

  of(layer: number): readonly RunTrail[] {
    return this.#layers.get(layer) ?? [];
  }

  /** Frees what a layer left. */
  free(layer: number): void {
    for (const { hidden, kept } of this.of(layer)) {
      hidden.dispose();
      if (!kept) continue;
      this.giveBack(kept.values);
      for (const mask of Object.values(kept.masks)) mask.dispose();
    }
    this.#layers.delete(layer);
  }

  [Symbol.dispose](): void {
    for (const layer of [...this.#layers.keys()]) this.free(layer);
  }
}
