import type { DeviceTensor, Runtime } from '../../runtime/runtime.ts';

/**
 * Float32 tensors for what programs give out, used again by later runs of the same sizes: fresh memory has to be cleared by the system first. Not on WebAssembly, where
 * ONNX Runtime copies results out of its own memory in any case: there nothing is pooled.
 */
export class TensorPool implements Disposable {
  readonly reuses: boolean;
  readonly #runtime: Runtime;
  readonly #bytes: number;
  readonly #free = new Map<string, DeviceTensor[]>();
  #held = 0;

  /** Frees unused tensors where those handed out and waiting would pass `bytes` together. */
  constructor(runtime: Runtime, bytes: number) {
    this.#runtime = runtime;
    this.#bytes = bytes;
    this.reuses = runtime.backend !== 'wasm';
  }

  /** A tensor of any content, to be given back. */
  take(shape: readonly number[]): DeviceTensor {
    const free = this.#free.get(`${shape}`)?.pop();
    if (free) return free;
    const bytes = shape.reduce((product, size) => product * size, Float32Array.BYTES_PER_ELEMENT);
    if (this.#held + bytes > this.#bytes) this.#release();
    this.#held += bytes;
    return this.#runtime.allocate('float32', shape);
  }

  /** Takes a tensor of `take` back; others are disposed. */
  give(tensor: DeviceTensor): void {
    if (!this.reuses) {
      tensor.dispose();
      return;
    }
    const key = `${tensor.shape}`;
    const free = this.#free.get(key) ?? [];
    this.#free.set(key, free);
    free.push(tensor);
  }

  dispose(): void {
    this.#release();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  #release(): void {
    for (const tensors of this.#free.values()) {
      for (const tensor of tensors) {
        this.#held -= tensor.byteLength;
        tensor.dispose();
      }
    }
    this.#free.clear();
  }
}
