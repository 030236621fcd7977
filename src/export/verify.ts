import { throwIfCancelled, UsageError, VerificationError } from '../errors.ts';
import type { Decoder } from '../generate/decoder.ts';
import { greatest } from '../generate/sampling.ts';
import type { LongRunning } from '../progress.ts';
import type { ExportDataType } from './dtypes.ts';

/** Logits [tokens, vocabulary] of the block programs for one window of token ids. */
export type ReferenceLogits = (tokenIds: readonly number[]) => Promise<Float32Array>;

/** How an exported decoder compares with the block programs. */
export interface Verification {
  readonly maxAbsoluteDifference: number;
  /** Share of positions whose most probable token is the same, 0 to 1. */
  readonly top1Agreement: number;
  readonly positions: number;
}

interface Bounds {
  /** Largest difference allowed, as a share of the largest absolute reference logit. */
  readonly difference: number;
  /** Smallest agreement allowed. Positions whose two best logits lie closer together than the difference found do not count against it. */
  readonly agreement: number;
}

/** Stated bounds per number format. f32 differs by the order of summation only; the others by the rounding of their weights. */
export const VERIFICATION_BOUNDS: Readonly<Record<ExportDataType, Bounds>> = {
  f32: { difference: 1e-3, agreement: 1 },
  f16: { difference: 0.02, agreement: 0.98 },
  q8: { difference: 0.1, agreement: 0.95 },
  q4: { difference: 0.5, agreement: 0.7 },
};

const FEWEST_POSITIONS = 64;
/** Positions at the end of each window that are decoded one by one, through the cache. */
const DECODED = 8;

export interface VerifyOptions extends LongRunning {
  readonly dataType: ExportDataType;
  /** Windows of token ids; at least 64 positions together. */
  readonly windows: readonly (readonly number[])[];
}

/**
 * Compares a re-opened decoder with the block programs, position by position with the true tokens as input: the first part of a window in
 * one run, its last tokens one by one, so that prompt processing and the cache are both checked.
 * Throws VerificationError, saying what was found and what is allowed, when the decoder is not the same model.
 */
export async function verifyDecoder(decoder: Decoder, reference: ReferenceLogits, options: VerifyOptions): Promise<Verification> {
  const { dataType, windows, signal, onProgress } = options;
  const total = windows.reduce((sum, window) => sum + window.length, 0);
  if (total < FEWEST_POSITIONS) throw new UsageError(`Only ${total} positions were given to verify the export; give at least ${FEWEST_POSITIONS}.`);
  const comparison = new Comparison();
  for (const window of windows) {
    throwIfCancelled(signal);
    const expected = await reference(window);
    throwIfCancelled(signal);
    comparison.add(await decodedLogits(decoder, window), expected, window.length);
    onProgress?.({ stage: 'verifying', completed: comparison.positions, total, unit: 'tokens' });
  }
  return comparison.judge(dataType);
}

async function decodedLogits(decoder: Decoder, window: readonly number[]): Promise<Float32Array> {
  using sequence = decoder.start(window.length);
  const split = Math.max(1, window.length - DECODED);
  const first = await sequence.appendForAllLogits(window.slice(0, split));
  const vocabulary = first.length / split;
  const all = new Float32Array(window.length * vocabulary);
  all.set(first);
  for (const [index, id] of window.slice(split).entries()) all.set(await sequence.append([id]), (split + index) * vocabulary);
  return all;
}

class Comparison {
  positions = 0;
  #difference = 0;
  #scale = 0;
  #agreeing = 0;
  #finite = true;
  /** Gaps between the reference's logits of its own best token and of the decoder's, where they disagree. */
  readonly #gaps: number[] = [];

  add(found: Float32Array, expected: Float32Array, positions: number): void {
    if (found.length !== expected.length)
      throw new VerificationError(
        `The exported model gave ${found.length / positions} logits a position, the block programs ${expected.length / positions}. Nothing was kept.`,
      );
    const vocabulary = found.length / positions;
    for (let index = 0; index < found.length; index++) {
      const difference = Math.abs((found[index] as number) - (expected[index] as number));
      if (!Number.isFinite(difference)) this.#finite = false;
      else if (difference > this.#difference) this.#difference = difference;
      this.#scale = Math.max(this.#scale, Math.abs(expected[index] as number));
    }
    for (let position = 0; position < positions; position++) {
      const row = (values: Float32Array) => values.subarray(position * vocabulary, (position + 1) * vocabulary);
      const reference = row(expected);
      const [best, chosen] = [greatest(reference), greatest(row(found))];
      if (best === chosen) this.#agreeing += 1;
      else this.#gaps.push((reference[best] as number) - (reference[chosen] as number));
    }
    this.positions += positions;
  }

  judge(dataType: ExportDataType): Verification {
    const bounds = VERIFICATION_BOUNDS[dataType];
    const result = { maxAbsoluteDifference: this.#difference, top1Agreement: this.#agreeing / this.positions, positions: this.positions };
    if (!this.#finite) throw new VerificationError(`The exported ${dataType} model gave logits that are not finite numbers. Nothing was kept; export in f32.`);
    const allowed = bounds.difference * Math.max(1, this.#scale);
    const remedy = dataType === 'f32' ? 'Please report this model.' : 'Export in a finer number format.';
    if (this.#difference > allowed)
      throw new VerificationError(
        `The exported ${dataType} model differs from the block programs by up to ${this.#difference.toPrecision(3)} in a logit; at most ${allowed.toPrecision(3)} is allowed. Nothing was kept. ${remedy}`,
      );
    const ties = this.#gaps.filter((gap) => gap <= 2 * this.#difference && dataType === 'f32').length;
    const agreement = (this.#agreeing + ties) / this.positions;
    if (agreement < bounds.agreement)
      throw new VerificationError(
        `The exported ${dataType} model chooses the same token as the block programs at ${(100 * agreement).toFixed(1)}% of ${this.positions} positions; at least ${(100 * bounds.agreement).toFixed(0)}% is required. Nothing was kept. ${remedy}`,
      );
    return result;
  }
}
