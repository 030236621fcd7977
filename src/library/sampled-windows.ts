import { VERIFIED_POSITIONS } from '../export/verification-windows.ts';
import { decoderForModel } from '../generate/model-decoder.ts';
import type { LongRunning } from '../progress.ts';
import type { OpenModel } from './open-model.ts';
import { ownText } from './own-text.ts';

/** Tokens of a window; each begins anew, so that one odd start does not decide. */
const WINDOW = 64;
/** Bytes of a checkpoint up to which the model is held a second time, in float32, to write a text. */
const LARGEST = 1 << 30;

/**
 * Text that the model writes itself (sampled at temperature 1, seeded), as token ids, for what `given` lacks to verify an export on: four windows, each from a token
 * of its own. Nothing where the given text suffices, or where the model is too large to be held once more.
 */
export async function sampledWindows(
  { runtime, model, config }: OpenModel,
  given: readonly ArrayLike<number>[],
  { signal, onProgress }: LongRunning = {},
): Promise<readonly (readonly number[])[]> {
  const missing = VERIFIED_POSITIONS - given.reduce((sum, { length }) => sum + length, 0);
  let parameters = 0;
  for (const { shape } of model.checkpoint.tensors.values())
    parameters += shape.reduce((product, size) => product * size, 1);
  if (missing <= 0 || 4 * parameters > LARGEST) return [];
  const length = Math.min(WINDOW, config.maximumPositions);
  using decoder = await decoderForModel(runtime, model, { signal });
  return await ownText(decoder, {
    count: Math.ceil(missing / length),
    length,
    seed: 0,
    vocabulary: config.vocabulary,
    signal,
    onProgress: (progress) => onProgress?.({ ...progress, stage: 'writing text to verify on' }),
  });
}
