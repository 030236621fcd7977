import type { Decoder } from '../generate/decoder.ts';

/** Keeps the decoders that were used last, and disposes the others. */
export class DecoderCache implements Disposable {
  readonly #decoders = new Map<string, Decoder>();
  readonly #resident: () => number;

  /** `resident` models are kept ready to generate: the dense one, the last pruned one, and a recovered one where there is one. */
  constructor(resident: () => number) {
    this.#resident = resident;
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
    while (this.#decoders.size >= this.#resident()) this.#drop();
    const decoder = await make();
    this.#decoders.set(key, decoder);
    return decoder;
  }

  #drop(): void {
    const oldest = this.#decoders.entries().next().value;
    if (!oldest) return;
    this.#decoders.delete(oldest[0]);
    oldest[1].dispose();
  }

  [Symbol.dispose](): void {
    while (this.#decoders.size > 0) this.#drop();
  }
}
