import type { DeviceTensor } from '../runtime/runtime.ts';

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
  readonly #layers = new Map<number, RunTrail[]>();
  #left: number;

  /** Activations and masks of at most `bytes` are kept. */
  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** Whether so many bytes more fit; they count as spent then. */
  spend(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
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
      for (const tensor of Object.values({ ...kept?.values, ...kept?.masks })) tensor.dispose();
    }
    this.#layers.delete(layer);
  }

  [Symbol.dispose](): void {
    for (const layer of [...this.#layers.keys()]) this.free(layer);
  }
}
