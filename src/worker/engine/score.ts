import { sha256OfText } from '../../checkpoint/files/sha256.ts';
import { tokenWindows } from '../../evaluate/token-windows.ts';
import type { Scores } from '../../importance/sums/scores.ts';
import { calibrationOf } from '../../library/calibration.ts';
import { type ScoreOptions, score } from '../../library/score.ts';
import type { PrecisionChoice } from '../../library/score-precision.ts';
import type { LongRunning } from '../../progress.ts';
import type { Bench } from './bench.ts';
import { lenient } from './kept-file.ts';
import type { Calibration } from './repaired-models.ts';

export interface ScoreRequest extends Calibration {
  /** Shown as the calibration's source, e.g. a file name. */
  readonly source: string;
  /** Default f32. */
  readonly precision?: PrecisionChoice;
}

/** The calibration windows that a run would draw, from the `from`th on, `count` of them. */
export interface WindowsRequest extends Calibration {
  readonly from: number;
  readonly count: number;
}

export interface DrawnWindows {
  /** Tokens of the whole text. */
  readonly tokens: number;
  /** Windows that the text has room for. */
  readonly available: number;
  /** The text of each window that was asked for, as the tokenizer decodes it. */
  readonly texts: readonly string[];
}

/** Options of scoring: layers as they are done. */
export type Scoring = Pick<ScoreOptions, 'signal' | 'onProgress' | 'onLayer'>;

export interface ScoreCalls {
  score(request: ScoreRequest, options?: Scoring): Promise<Scores>;
  windows(request: WindowsRequest, options?: LongRunning): Promise<DrawnWindows>;
}

export function scoreCalls(bench: Bench): ScoreCalls {
  const { platform } = bench;
  return {
    score: ({ text, source, windows, length, seed, precision = 'f32' }, options = {}) =>
      bench.heavy(async () => {
        const tokenIds = await bench.tokenIds(text);
        const sha256 = await sha256OfText(text);
        const calibration = calibrationOf({ tokenIds, source, sha256, length, seed }, { count: windows });
        // A driver can be wrong without an error: WebGPU's scores are compared with WASM's.
        const crossCheck =
          bench.model.runtime.backend === 'webgpu' ? { start: () => platform.createRuntime('wasm') } : undefined;
        const state = platform.scoreState && lenient(platform.scoreState);
        const run = await score(bench.model, {
          ...calibration,
          crossCheck,
          // A choice that a reader made on another device, and that the page does not offer on this one.
          precision: bench.model.runtime.adapter?.halfPrecision ? precision : 'f32',
          state,
          ...options,
        });
        await state?.clear();
        return run.scores;
      }, options),

    windows: async ({ text, windows, length, seed, from, count }) => {
      const ids = await bench.tokenIds(text);
      const tokenizer = await bench.model.tokenizer();
      const chosen = tokenWindows(ids, { length, count: windows, seed }).slice(from, from + count);
      return {
        tokens: ids.length,
        available: Math.floor(ids.length / length),
        texts: chosen.map((window) => tokenizer.decode([...window])),
      };
    },
  };
}
