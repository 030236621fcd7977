import type { KeyValueCache } from './cache.ts';

/**
 * Keeps the last cache of full length that a sequence gave back for the next one: what is in it is written over, and touching fresh memory for it costs a twentieth of a
 * prompt of 64 tokens on the CPU, more for longer sequences. One that is more than twice as long as needed is not used: attention walks over its whole length.
 */
export class CacheShelf implements Disposable {
  readonly #make: (capacity: number) => KeyValueCache;
  #spare: { readonly cache: KeyValueCache; readonly capacity: number } | undefined;
  #closed = false;

  constructor(make: (capacity: number) => KeyValueCache) {
    this.#make = make;
  }

  /** A cache that holds `capacity` tokens or more; disposing it gives it back. */
  take(capacity: number): KeyValueCache {
    const spare = this.#spare;
    this.#spare = undefined;
    const fits = spare !== undefined && spare.capacity >= capacity && spare.capacity <= 2 * capacity;
    if (spare && !fits) spare.cache[Symbol.dispose]();
    const taken = fits ? spare : { cache: this.#make(capacity), capacity };
    let isOut = true;
    return {
      ...taken.cache,
      [Symbol.dispose]: () => {
        if (!isOut) return;
        isOut = false;
        if (this.#closed || this.#spare) taken.cache[Symbol.dispose]();
        else this.#spare = taken;
      },
    };
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#spare?.cache[Symbol.dispose]();
    this.#spare = undefined;
  }
}
