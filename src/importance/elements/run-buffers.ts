import type { DeviceTensor, Runtime, Session } from '../../runtime/runtime.ts';

/**
 * Outputs that runs of equal sizes write again, so that memory is taken once and not once a run. Not on WebAssembly, where ONNX Runtime copies results out of its own
 * memory in any case. What a run returns is valid until the next one.
 */
export class RunBuffers implements Disposable {
  readonly #reuses: boolean;
  #key = '';
  #tensors: Record<string, DeviceTensor> = {};

  constructor(runtime: Runtime) {
    this.#reuses = runtime.backend !== 'wasm';
  }

  /** Runs a session; `key` tells runs apart whose outputs differ in size. Outputs found in `own` are written there: they are the caller's. */
  async run(
    session: Session,
    feeds: Readonly<Record<string, DeviceTensor>>,
    key: string,
    own: Readonly<Record<string, DeviceTensor>>,
  ) {
    if (!this.#reuses || key !== this.#key) this.#free();
    this.#key = key;
    const outputs = await session.run(feeds, { into: { ...this.#tensors, ...own } });
    this.#tensors = Object.fromEntries(Object.entries(outputs).filter(([name]) => !own[name]));
    return outputs;
  }

  /** Takes an output of the last run out: it becomes the caller's. */
  take(name: string): DeviceTensor | undefined {
    const tensor = this.#tensors[name];
    delete this.#tensors[name];
    return tensor;
  }

  [Symbol.dispose](): void {
    this.#free();
  }

  #free(): void {
    for (const tensor of Object.values(this.#tensors)) tensor.dispose();
    this.#tensors = {};
  }
}
