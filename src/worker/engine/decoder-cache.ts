import type { Decoder } from '../../generate/decoder.ts';

/** Keeps the decoders that were used last, and disposes the others. */
export class DecoderCache implements Disposable {
  readonly #decoders = new Map<string, Decoder>();
  readonly #resident: () => number;
  readonly #onFreed: ((key: string) => void) | undefined;

  /** `resident` models are kept ready to generate: the dense one, the last pruned one, and a recovered one where there is one; `onFreed` is told whose place was needed. */
  constructor(resident: () => number, onFreed?: (key: string) => void) {
    this.#resident = resident;
    this.#onFreed = onFreed;
  }

  /** The decoder of that key; made, and the one unused for longest disposed, when it is not there. */
  async get(key: string, make: () => Promise<Decoder>): Promise<Decoder> {
    const known = this.#decoders.get(key);
    if (known) {
      this.#decoders.delete(key);
      this.#decoders.set(key, known);
      return known;
    }
    // Room is made before, so that there is never one more.
    while (this.#decoders.size >= this.#resident()) this.#onFreed?.(this.#drop());
    const decoder = await make();
    this.#decoders.set(key, decoder);
    return decoder;
  }

  /** The key of what was disposed. */
  #drop(): string {
    const [key = ''] = this.#decoders.keys();
    this.#decoders.get(key)?.dispose();
    this.#decoders.delete(key);
    return key;
  }

  [Symbol.dispose](): void {
    while (this.#decoders.size > 0) this.#drop();
  }
}
