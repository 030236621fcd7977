import { VERIFICATION_BOUNDS } from './bounds.ts';
import type { Decoder } from './decoder.ts';

/** Logits [tokens, vocabulary] in single precision for a text. */
export type PreciseLogits = (tokenIds: readonly number[]) => Promise<Float32Array>;

/** Positions that are compared: a prompt long enough for the kernels of long prompts (from 32 tokens on, attention is another one), and a single token. */
const POSITIONS = 40;

/**
 * Compares a decoder with single precision from elsewhere on a few positions, before anything that it says is shown: a driver, or half precision, can be wrong
 * without an error. Undefined when it is within the bounds of an f16 export; otherwise the beginning of a sentence with what was found.
 */
export async function spotCheck(
  decoder: Decoder,
  precise: PreciseLogits,
  vocabulary: number,
  maximumPositions: number,
): Promise<string | undefined> {
  const positions = Math.min(POSITIONS, maximumPositions);
  const tokenIds = Array.from({ length: positions }, (_, index) => (index * 7919 + 17) % vocabulary);
  const expected = await precise(tokenIds);
  using sequence = decoder.start(positions);
  const found = new Float32Array(expected.length);
  found.set(await sequence.appendForAllLogits(tokenIds.slice(0, -1)));
  found.set(await sequence.append(tokenIds.slice(-1)), (positions - 1) * vocabulary);
  let [scale, squares, largest] = [1, 0, 0];
  for (const [index, value] of found.entries()) {
    const difference = Math.abs(value - (expected[index] as number));
    scale = Math.max(scale, Math.abs(expected[index] as number));
    squares += difference * difference;
    // The greatest of NaN and anything is NaN, so that it is not taken for small.
    largest = Math.max(largest, difference);
  }
  const { f16 } = VERIFICATION_BOUNDS;
  const rootMeanSquare = Math.sqrt(squares / found.length);
  if (largest <= f16.largest * scale && rootMeanSquare <= f16.rootMeanSquare * scale) return undefined;
  const precision = decoder.cacheType === 'float16' ? 'half' : 'single';
  return `${decoder.label}: ${precision} precision is wrong on this device: its logits differ from those computed elsewhere by up to ${largest.toPrecision(3)} (root mean square ${rootMeanSquare.toPrecision(3)}), ${(f16.largest * scale).toPrecision(3)} (${(f16.rootMeanSquare * scale).toPrecision(3)}) is allowed.`;
}
