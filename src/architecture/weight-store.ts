import type { DeviceTensor, Runtime } from '../runtime/runtime.ts';
import type { WeightBinding } from './architecture.ts';
import { countParameters, type Model } from './model.ts';
import { narrowed, type Precision } from './precision.ts';
import { DeviceWeights, readWeights } from './weights.ts';

/** Which program's weights: the two ends, or a block by its layer. */
export type ProgramKey = 'embed' | 'head' | number;

/**
 * Weights of a model on a device. A model that fits `keepBytes` stays resident (tied tensors once); a larger one is streamed:
 * each lease is read, uploaded, and freed when it is disposed.
 */
export class WeightStore implements Disposable {
  readonly model: Model;
  readonly resident: boolean;
  readonly #runtime: Runtime;
  readonly #precision: Precision;
  readonly #kept = new Map<string, Promise<DeviceTensor>>();

  /** `precision` is that of the programs that read them; in half precision all weights are streamed. */
  constructor(runtime: Runtime, model: Model, keepBytes = 0, precision: Precision = 'f32') {
    this.#runtime = runtime;
    this.#precision = precision;
    this.model = model;
    const bytes = countParameters(model).parameters * Float32Array.BYTES_PER_ELEMENT;
    this.resident = precision === 'f32' && bytes <= keepBytes;
  }

  /** The weights of one program; dispose the lease after use. */
  async lease(key: ProgramKey): Promise<DeviceWeights> {
    const { architecture } = this.model;
    const bindings =
      key === 'embed'
        ? architecture.embedWeights()
        : key === 'head'
          ? architecture.headWeights()
          : architecture.blockWeights(key);
    const tensors = await Promise.all(
      bindings.map(async (binding) => [binding.input, await this.#tensor(binding, key === 'head')] as const),
    );
    const weights = Object.fromEntries(tensors);
    return this.resident ? new BorrowedWeights(weights) : new DeviceWeights(weights);
  }

  dispose(): void {
    for (const tensor of this.#kept.values()) void tensor.then((ready) => ready.dispose()).catch(() => undefined);
    this.#kept.clear();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  async #load(binding: WeightBinding, precision: Precision): Promise<DeviceTensor> {
    const weights = await readWeights(this.model.checkpoint, [binding]);
    return this.#runtime.upload(narrowed(Object.values(weights)[0] as (typeof weights)[string], precision));
  }

  #tensor(binding: WeightBinding, ofHead: boolean): Promise<DeviceTensor> {
    if (!this.resident) return this.#load(binding, ofHead ? 'f32' : this.#precision);
    const key = `${binding.tensor}:${binding.rows?.start ?? 0}`;
    const known = this.#kept.get(key);
    if (known) return known;
    const loading = this.#load(binding, 'f32');
    this.#kept.set(key, loading);
    loading.catch(() => this.#kept.delete(key));
    return loading;
  }
}

class BorrowedWeights extends DeviceWeights {
  override dispose(): void {}
}
