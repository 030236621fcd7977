import type { OpenModel } from '../library/open-model.ts';
import { readTrainingData, type TrainingData } from '../library/training-data.ts';
import { readInput } from './input-file.ts';

/** Windows of held-out text at most: they are measured again and again. */
const HELD_OUT_WINDOWS = 64;

interface TrainingFileOptions {
  readonly data: readonly string[];
  readonly heldOut?: readonly string[];
  /** Tokens of a window. */
  readonly window: number;
  readonly trainWindows?: number;
  readonly seed: number;
}

/** Training windows of the files, and those that are held out where files are named for it. Throws what `readTrainingData` throws. */
export async function readTrainingFiles(
  open: OpenModel,
  { data, heldOut, window, trainWindows, seed }: TrainingFileOptions,
): Promise<{ readonly data: TrainingData; readonly heldOut?: TrainingData['windows'] }> {
  const tokenizer = await open.tokenizer();
  const read = async (paths: readonly string[], windows: number | undefined) => {
    const files = await Promise.all(paths.map(readInput));
    return readTrainingData(files, tokenizer, { length: window, windows, seed });
  };
  return {
    data: await read(data, trainWindows),
    ...(heldOut && { heldOut: (await read(heldOut, HELD_OUT_WINDOWS)).windows }),
  };
}
