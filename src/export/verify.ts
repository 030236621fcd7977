import type { ExportDataType } from '../decoder/dtypes.ts';
import { throwIfCancelled, UsageError, VerificationError } from '../errors.ts';
import { rowDivergence } from '../evaluate/divergence/row-divergence.ts';
import { type Bounds, VERIFICATION_BOUNDS } from '../generate/bounds.ts';
import type { Decoder } from '../generate/decoder.ts';
import { greatest } from '../generate/sampling.ts';
import type { LongRunning } from '../progress.ts';
import { VERIFIED_POSITIONS, type VerificationSource } from './verification-windows.ts';

/** Logits [tokens, vocabulary] of the block programs for one window of token ids; `together`: all the windows that will be asked for, this one among them, so that they can be computed at once. */
export type ReferenceLogits = (
  tokenIds: readonly number[],
  together?: readonly (readonly number[])[],
) => Promise<Float32Array>;

/** How an exported decoder compares with the block programs. */
export interface Verification {
  /** Of the logits. */
  readonly maxAbsoluteDifference: number;
  /** Over all logits of all positions. */
  readonly rootMeanSquareDifference: number;
  /** Share of positions whose most probable token is the same, 0 to 1. */
  readonly top1Agreement: number;
  /** Positions that were compared. */
  readonly positions: number;
  /** Mean over positions of KL(block programs || exported model), in nats a token. */
  readonly klDivergence: number;
  /** What the positions are. */
  readonly source: VerificationSource;
  /** The bound that is not kept, as a sentence, where the export was kept all the same. */
  readonly exceeded?: string;
}

/**
 * The same against the model with weights as the format leaves them: what remains is half precision, or activations rounded to bytes in blocks
 * of 32 (root mean square 0.005 on text and 0.026 on random tokens with SmolLM2-135M, whose largest activations are hundreds of times the others).
 */
const ROUNDED_BOUNDS: Readonly<Record<ExportDataType, Bounds>> = {
  f32: VERIFICATION_BOUNDS.f32,
  f16: { largest: 0.1, rootMeanSquare: 0.01, agreement: 0.97, divergence: 0.01 },
  q8: { largest: 0.5, rootMeanSquare: 0.05, agreement: 0.85, divergence: 0.05 },
  q4: { largest: 0.5, rootMeanSquare: 0.05, agreement: 0.85, divergence: 0.05 },
};

/** Positions at the end of each window that are decoded one by one, through the cache. */
const DECODED = 8;

export interface VerifyOptions extends LongRunning {
  readonly dataType: ExportDataType;
  /** Windows of token ids; at least 256 positions together. */
  readonly windows: readonly (readonly number[])[];
  /**
   * What the windows are. On drawn tokens a model is undecided, and coarse formats are not judged by the tokens that they choose; in q8 and q4 a single logit may be twice as far off (0.6 of the
   * largest with SmolLM2-135M). Default 'text'.
   */
  readonly source?: VerificationSource | undefined;
  /** How its weights were rounded: 'gptq', 'weighted' or 'nearest'. What is to be tried instead depends on it. */
  readonly rounding?: string | undefined;
  /** What to write instead of a type that is too coarse. Default: a finer format of the ONNX file. */
  readonly finer?: string | undefined;
  /** Keep an export whose weights are coarser than the bounds of its format allow. A decoder that computes something else is refused all the same. */
  readonly force?: boolean | undefined;
  /**
   * Tokens go to experts that are chosen: where rounding moves one to another expert, its logits differ by anything. Coarse formats are then held to the bounds of single logits at nine positions of
   * ten; what is told is of all.
   */
  readonly chooses?: boolean | undefined;
  /** Logits of the block programs on `roundedCheckpoint`; without it the coarse formats are only held to the coarse bounds. */
  readonly roundedReference?: ReferenceLogits | undefined;
}

/**
 * Compares a re-opened decoder with the block programs, position by position with the true tokens as input: the first part of a window in
 * one run, its last tokens one by one, so that prompt processing and the cache are both checked.
 * Throws VerificationError, saying what was found and what is allowed, when the decoder is not the same model.
 */
export function verifyDecoder(
  decoder: Decoder,
  reference: ReferenceLogits,
  options: VerifyOptions,
): Promise<Verification> {
  return verifyLogits((window) => decodedLogits(decoder, window), reference, options);
}

/** The same for any way of computing the written model's logits. */
export async function verifyLogits(
  written: ReferenceLogits,
  reference: ReferenceLogits,
  options: VerifyOptions,
): Promise<Verification> {
  const { dataType, windows, source = 'text', force = false, rounding, roundedReference, signal, onProgress } = options;
  const judgedShare = options.chooses && dataType !== 'f32' ? CHOSEN_SHARE : 1;
  const judged = (bounds: Bounds): Bounds =>
    source !== 'drawn' || dataType === 'f32'
      ? bounds
      : {
          ...bounds,
          agreement: 0,
          divergence: Number.POSITIVE_INFINITY,
          largest: (dataType === 'f16' ? 1 : 2) * bounds.largest,
        };
  const total = windows.reduce((sum, window) => sum + window.length, 0);
  if (total < VERIFIED_POSITIONS)
    throw new UsageError(
      `Only ${total} positions were given to verify the export; give at least ${VERIFIED_POSITIONS}.`,
    );
  const comparison = new Comparison(judgedShare);
  const rounded = new Comparison(judgedShare);
  for (const window of windows) {
    throwIfCancelled(signal);
    const expected = await reference(window, windows);
    throwIfCancelled(signal);
    const found = await written(window, windows);
    comparison.add(found, expected, window.length);
    if (roundedReference) rounded.add(found, await roundedReference(window, windows), window.length);
    onProgress?.({ stage: 'verifying', completed: comparison.positions, total, unit: 'tokens' });
  }
  if (roundedReference)
    rounded.judge(dataType, source, judged(ROUNDED_BOUNDS[dataType]), {
      reference: 'the block programs on the rounded weights',
      remedy: 'No rounding cures that: export in another format, and please report this model.',
    });
  return comparison.judge(dataType, source, judged(VERIFICATION_BOUNDS[dataType]), {
    reference: 'the block programs',
    remedy: `${options.finer ?? finerFormat(dataType, rounding)}${dataType === 'f32' ? '' : ', or keep it as it is with --force'}.`,
    force: force && dataType !== 'f32',
  });
}

async function decodedLogits(decoder: Decoder, window: readonly number[]): Promise<Float32Array> {
  using sequence = decoder.start(window.length);
  const split = Math.max(1, window.length - DECODED);
  const first = await sequence.appendForAllLogits(window.slice(0, split));
  const vocabulary = first.length / split;
  const all = new Float32Array(window.length * vocabulary);
  all.set(first);
  for (const [index, id] of window.slice(split).entries())
    all.set(await sequence.append([id]), (split + index) * vocabulary);
  return all;
}

/** Of the positions of a model that chooses experts, those that are held to the bounds of single logits. */
const CHOSEN_SHARE = 0.9;

class Comparison {
  positions = 0;
  readonly #judgedShare: number;
  /** Of each position, the largest difference of a logit, and the sum of the squares of all. */
  readonly #ofPositions: { readonly largest: number; readonly squares: number }[] = [];
  #difference = 0;
  #squares = 0;
  #values = 0;
  #scale = 0;
  #agreeing = 0;
  #divergence = 0;
  #finite = true;
  /** Gaps between the reference's logits of its own best token and of the decoder's, where they disagree. */
  readonly #gaps: number[] = [];

  /** `judgedShare`: of the positions, the nearest ones, that bounds of single logits are about. */
  constructor(judgedShare: number) {
    this.#judgedShare = judgedShare;
  }

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
      this.#squares += difference * difference;
      this.#scale = Math.max(this.#scale, Math.abs(expected[index] as number));
    }
    for (let position = 0; position < positions; position++) {
      const row = (values: Float32Array) => values.subarray(position * vocabulary, (position + 1) * vocabulary);
      const reference = row(expected);
      this.#divergence += rowDivergence(reference, row(found));
      let [largest, squares] = [0, 0];
      row(found).forEach((value, index) => {
        const difference = Math.abs(value - (reference[index] as number));
        largest = Math.max(largest, difference);
        squares += difference * difference;
      });
      this.#ofPositions.push({ largest, squares });
      const [best, chosen] = [greatest(reference), greatest(row(found))];
      if (best === chosen) this.#agreeing += 1;
      else this.#gaps.push((reference[best] as number) - (reference[chosen] as number));
    }
    this.positions += positions;
    this.#values += found.length;
  }

  judge(
    dataType: ExportDataType,
    source: VerificationSource,
    bounds: Bounds,
    { reference, remedy, force = false }: { reference: string; remedy: string; force?: boolean },
  ): Verification {
    const result = {
      maxAbsoluteDifference: this.#difference,
      rootMeanSquareDifference: Math.sqrt(this.#squares / this.#values),
      top1Agreement: this.#agreeing / this.positions,
      positions: this.positions,
      klDivergence: this.#divergence / this.positions,
      source,
    };
    if (!this.#finite)
      throw new VerificationError(
        `The exported ${dataType} model gave logits that are not finite numbers. Nothing was kept; export in f32.`,
      );
    const exceeded = this.#exceeded(dataType, result, bounds, reference);
    if (exceeded === undefined) return result;
    if (force) return { ...result, exceeded };
    throw new VerificationError(`${exceeded} Nothing was kept. ${remedy}`);
  }

  /** What the bounds of single logits are held against. */
  #judged({ maxAbsoluteDifference, rootMeanSquareDifference }: Omit<Verification, 'exceeded'>) {
    if (this.#judgedShare === 1) return { largest: maxAbsoluteDifference, rootMeanSquare: rootMeanSquareDifference };
    const nearest = this.#ofPositions
      .toSorted((a, b) => a.largest - b.largest)
      .slice(0, Math.ceil(this.#judgedShare * this.positions));
    const squares = nearest.reduce((sum, position) => sum + position.squares, 0);
    return {
      largest: nearest.at(-1)?.largest ?? 0,
      rootMeanSquare: Math.sqrt(squares / ((nearest.length * this.#values) / this.positions)),
    };
  }

  /** The first bound that is not kept. */
  #exceeded(
    dataType: ExportDataType,
    result: Omit<Verification, 'exceeded'>,
    bounds: Bounds,
    reference: string,
  ): string | undefined {
    const scale = Math.max(1, this.#scale);
    const differs = (what: string, found: number, allowed: number) =>
      found > allowed
        ? `The exported ${dataType} model differs from ${reference} by ${what} ${found.toPrecision(3)}; at most ${allowed.toPrecision(3)} is allowed.`
        : undefined;
    const ties = dataType === 'f32' ? this.#gaps.filter((gap) => gap <= 2 * this.#difference).length : 0;
    const agreement = (this.#agreeing + ties) / this.positions;
    const judged = this.#judged(result);
    return (
      differs('up to, in a logit,', judged.largest, bounds.largest * scale) ??
      differs('a root mean square, of logits, of', judged.rootMeanSquare, bounds.rootMeanSquare * scale) ??
      differs('a KL divergence, in nats a token, of', result.klDivergence, bounds.divergence) ??
      (agreement < bounds.agreement
        ? `The exported ${dataType} model chooses the same token as ${reference} at ${(100 * agreement).toFixed(1)}% of ${this.positions} positions; at least ${(100 * bounds.agreement).toFixed(0)}% is required.`
        : undefined)
    );
  }
}

/** What to try where a format of the ONNX file is too coarse for a model. */
function finerFormat(dataType: ExportDataType, rounding: string | undefined): string {
  if (dataType === 'f32') return 'Please report this model';
  if (dataType === 'f16') return 'Export in f32';
  if (dataType === 'q8') return 'Export in f16 or f32';
  return rounding === 'gptq'
    ? 'It was rounded by GPTQ already: export in q8, give more calibration text, remove less'
    : 'Round by GPTQ (give calibration text, --rounding gptq), export in q8';
}
