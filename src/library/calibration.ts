import { sha256OfBytes, sha256OfText } from '../checkpoint/files/sha256.ts';
import { readTokenIds, type TextFile } from '../evaluate/text.ts';
import { tokenWindows } from '../evaluate/token-windows.ts';
import { sampleWithoutReplacement, seededRandom } from '../random.ts';
import type { OpenModel } from './open-model.ts';
import type { ScoreOptions } from './score.ts';

/** Windows of token ids with what a score file records about them. */
export type Calibration = Pick<ScoreOptions, 'windows' | 'calibration'>;

/** A text to draw calibration windows from. */
export interface CalibrationText {
  /** The ids of the whole text, without special tokens. */
  readonly tokenIds: ArrayLike<number>;
  /** Recorded: a file name. */
  readonly source: string;
  /** Of the text. */
  readonly sha256: string;
  /** Tokens per window. */
  readonly length: number;
  /** Of the choice of windows. */
  readonly seed: number;
}

/** Windows drawn from a text by seed: `count` of them (UsageError where the text has fewer), or as many as there are up to `most`. */
export function calibrationOf(
  { tokenIds, source, sha256, length, seed }: CalibrationText,
  windows: { readonly count: number } | { readonly most: number },
): Calibration {
  const count =
    'count' in windows ? windows.count : Math.max(1, Math.min(windows.most, Math.floor(tokenIds.length / length)));
  return {
    windows: tokenWindows(tokenIds, { length, count, seed }),
    calibration: { source, sha256, seed },
  };
}

/** The windows of a file of token ids, taken as they are. Throws what `readTokenIds` throws. */
export async function calibrationOfTokenIds(file: TextFile, vocabulary: number, seed: number): Promise<Calibration> {
  const windows = readTokenIds(file, vocabulary);
  return { windows, calibration: { source: file.name, sha256: await sha256OfBytes(file.bytes), seed } };
}

/**
 * Half of so many windows from those of `own`, drawn by seed (all where they are fewer), and the others of a text: what a model writes beside what others wrote. Throws UsageError
 * where the text has fewer than `count` leaves to it.
 */
export async function mixedCalibration(
  own: Calibration,
  text: CalibrationText,
  windows: { readonly count: number } | { readonly most: number },
): Promise<Calibration> {
  const asked = 'count' in windows ? windows.count : windows.most;
  const count = Math.min(own.windows.length, Math.floor(asked / 2));
  const drawn = sampleWithoutReplacement(own.windows.length, count, seededRandom(text.seed)).sort((a, b) => a - b);
  const rest = asked - count;
  const others = calibrationOf(text, 'count' in windows ? { count: rest } : { most: rest });
  const sources = [others.calibration, own.calibration];
  return {
    windows: [...others.windows, ...drawn.map((index) => own.windows[index] as ArrayLike<number>)],
    calibration: {
      source: sources.map(({ source }) => source).join(' + '),
      sha256: await sha256OfText(sources.map(({ sha256 }) => sha256).join(' ')),
      seed: text.seed,
    },
  };
}

/** How a text becomes calibration windows. */
export interface CalibrationTextOptions {
  /** Recorded: where the text is from. Default 'text'. */
  readonly source?: string;
  /** Windows at most. Default 64. */
  readonly windows?: number;
  /** Tokens per window. Default 128. */
  readonly length?: number;
  /** Of the choice of windows. Default 0. */
  readonly seed?: number;
}

/** Calibration windows of a text, by the tokenizer of the model: what `score` takes. Throws UsageError for a text of less than one window. */
export async function calibrationOfText(
  model: Pick<OpenModel, 'tokenizer'>,
  text: string,
  { source = 'text', windows = 64, length = 128, seed = 0 }: CalibrationTextOptions = {},
): Promise<Calibration> {
  const tokenIds = (await model.tokenizer()).encode(text, { addSpecialTokens: false });
  return calibrationOf({ tokenIds, source, sha256: await sha256OfText(text), length, seed }, { most: windows });
}
