import { UsageError } from '../errors.ts';
import { type RunningDecoder, readLogits, runDecoder } from './decoder-run.ts';

/** What a batch is made of; the cache becomes its own. */
export interface SequenceBatchParts extends RunningDecoder {
  readonly count: number;
  /** Tokens of each sequence at most. */
  readonly capacity: number;
  readonly label: string;
}

/** Equally long texts on their way through a decoder together. */
export class SequenceBatch implements Disposable {
  readonly #parts: SequenceBatchParts;
  #length = 0;

  constructor(parts: SequenceBatchParts) {
    this.#parts = parts;
  }

  /** Appends one token to each sequence and returns the logits [vocabulary] after it, one row a sequence. Throws UsageError for another number of tokens, and beyond the capacity. */
  async append(tokenIds: readonly number[]): Promise<readonly Float32Array[]> {
    const { count, capacity, label } = this.#parts;
    if (tokenIds.length !== count)
      throw new UsageError(`${label}: ${tokenIds.length} tokens were given for ${count} sequences; give one of each.`);
    if (this.#length === capacity)
      throw new UsageError(`${label}: the sequences have their ${capacity} tokens and cannot take another.`);
    using logits = await runDecoder(
      this.#parts,
      tokenIds.map((id) => [id]),
      this.#length,
      1,
    );
    this.#length += 1;
    const { data, vocabulary } = await readLogits(this.#parts, logits);
    return tokenIds.map((_, index) => data.subarray(index * vocabulary, (index + 1) * vocabulary));
  }

  [Symbol.dispose](): void {
    this.#parts.cache[Symbol.dispose]();
  }
}
