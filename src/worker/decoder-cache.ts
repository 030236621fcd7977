import type { Decoder } from '../generate/decoder.ts';

/** Models that are kept ready to generate: the dense one and the last pruned one. */
const RESIDENT = 2;

/** Keeps the decoders that were used last, and disposes the others. */
export class DecoderCache implements Disposable {
  readonly #decoders = new Map<string, Decoder>();

  /** The decoder of that key; made, and the one unused for longest disposed, when it is not there. */
  async get(key: string, make: () => Promise<Decoder>): Promise<Decoder> {
    const known = this.#decoders.get(key);
    if (known) {
      this.#decoders.delete(key);
      this.#decoders.set(key, known);
      return known;
    }
    // Room is made before, so that two models and not three are ever resident.
    while (this.#decoders.size >= RESIDENT) this.#drop();
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
