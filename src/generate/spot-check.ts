import { VERIFICATION_BOUNDS } from '../export/verify.ts';
import type { Decoder } from './decoder.ts';

/** Logits [tokens, vocabulary] in single precision for a text. */
export type PreciseLogits = (tokenIds: readonly number[]) => Promise<Float32Array>;

/** Positions that are compared: enough for every kernel to have run, on a prompt and on a single token. */
const POSITIONS = 6;

/**
 * Compares a decoder in half precision with single precision on a few positions, before anything that it says is shown. Undefined when it is within the
 * bounds of an f16 export; otherwise a sentence with what was found.
 */
export async function halfPrecisionFault(decoder: Decoder, precise: PreciseLogits, vocabulary: number): Promise<string | undefined> {
  const tokenIds = Array.from({ length: POSITIONS }, (_, index) => (index * 7919 + 17) % vocabulary);
  const expected = await precise(tokenIds);
  using sequence = decoder.start(POSITIONS);
  const found = new Float32Array(expected.length);
  found.set(await sequence.appendForAllLogits(tokenIds.slice(0, -1)));
  found.set(await sequence.append(tokenIds.slice(-1)), (POSITIONS - 1) * vocabulary);
  let [scale, squares, largest] = [1, 0, 0];
  for (const [index, value] of found.entries()) {
    const difference = Math.abs(value - (expected[index] as number));
    scale = Math.max(scale, Math.abs(expected[index] as number));
    squares += difference * difference;
    // A comparison with NaN is false, so that it is not taken for small.
    if (!(difference <= largest)) largest = difference;
  }
  const { f16 } = VERIFICATION_BOUNDS;
  const rootMeanSquare = Math.sqrt(squares / found.length);
  if (largest <= f16.largest * scale && rootMeanSquare <= f16.rootMeanSquare * scale) return undefined;
  return `${decoder.label}: half precision is wrong on this device: its logits differ from single precision by up to ${largest.toPrecision(3)}, ${(f16.largest * scale).toPrecision(3)} is allowed. Single precision is used instead.`;
}
