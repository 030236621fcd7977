import { type DeviceError, DeviceLostError, OutOfMemoryError } from '../errors.ts';
import type { Decoder, Sequence } from './decoder.ts';
import type { Choice, Sampler } from './sampling.ts';

/** The same model after a fault of its device. */
export interface Reopened {
  readonly decoder: Decoder;
  /** Whether the sequence disposes the decoder, which was opened for it alone. */
  readonly owned: boolean;
}

/** Opens the same model elsewhere after a fault of its device. */
export type Reopen = (fault: DeviceError) => Promise<Reopened>;

export interface RecoveringOptions {
  /** Tokens that the sequence holds. */
  readonly capacity: number;
  /** Without it, faults of the device are thrown. */
  readonly reopen?: Reopen | undefined;
  /** Told one sentence when the text goes on elsewhere. */
  readonly onRecovered?: ((sentence: string) => void) | undefined;
}

/** A device that fails again and again is not worth a third try. */
const MOST_RECOVERIES = 2;

/**
 * A sequence that outlives its device: when that is lost, or has no memory left, the model is opened elsewhere, the text so far is read again, and
 * the token that was asked for is chosen there. A sampler draws only once its logits have come, so that the tokens are the same.
 */
export class RecoveringSequence implements Disposable {
  readonly #options: RecoveringOptions;
  #decoder: Decoder;
  #owned: Decoder | undefined;
  #sequence: Sequence | undefined;
  #recoveries = 0;

  /** `decoder` stays the caller's. */
  constructor(decoder: Decoder, options: RecoveringOptions) {
    this.#decoder = decoder;
    this.#options = options;
  }

  /** As `Sequence.choose`; `history` is the whole text. Throws what `reopen` throws, and DeviceError when faults go on. */
  async choose(
    tokenIds: readonly number[],
    sampler: Sampler,
    history: readonly number[],
    onChunk?: (done: number) => void,
  ): Promise<Choice> {
    const { reopen, capacity, onRecovered } = this.#options;
    try {
      this.#sequence ??= this.#decoder.start(capacity);
      return await this.#sequence.choose(tokenIds, sampler, history, onChunk);
    } catch (error) {
      const isFault = error instanceof DeviceLostError || error instanceof OutOfMemoryError;
      if (!isFault || !reopen || this.#recoveries >= MOST_RECOVERIES) throw error;
      this.#recoveries += 1;
      this[Symbol.dispose]();
      const { decoder: next, owned } = await reopen(error);
      this.#decoder = next;
      this.#owned = owned ? next : undefined;
      onRecovered?.(
        `${error.message} The model was opened again: ${this.#decoder.label}; the text goes on from its ${history.length} tokens.`,
      );
      return this.choose(history, sampler, history, onChunk);
    }
  }

  [Symbol.dispose](): void {
    this.#sequence?.[Symbol.dispose]();
    this.#sequence = undefined;
    this.#owned?.dispose();
    this.#owned = undefined;
  }
}
