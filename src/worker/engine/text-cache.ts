/** Texts that are remembered. */
const REMEMBERED = 3;

/** Remembers the token ids of the last texts: calibration and evaluation use the same ones again and again. */
export class TextCache {
  readonly #known = new Map<string, readonly number[]>();
  readonly #encode: (text: string) => Promise<readonly number[]>;

  constructor(encode: (text: string) => Promise<readonly number[]>) {
    this.#encode = encode;
  }

  async of(text: string): Promise<readonly number[]> {
    const ids = this.#known.get(text) ?? (await this.#encode(text));
    this.#known.delete(text);
    this.#known.set(text, ids);
    if (this.#known.size > REMEMBERED) this.#known.delete(this.#known.keys().next().value ?? '');
    return ids;
  }

  /** Another model has another tokenizer. */
  clear(): void {
    this.#known.clear();
  }
}
