import type { Divergence } from '../../evaluate/divergence/dense-reference.ts';
import type { Task } from '../../evaluate/tasks.ts';
import type { Scores } from '../../importance/sums/scores.ts';
import type { LongRunning } from '../../progress.ts';
import type { Recovered, RecoverOptions } from '../recover.ts';
import type { ScoreObjective } from '../score.ts';
import type { TaskScores } from '../task-scores.ts';

/** One cell of a comparison: a method at a ratio with one calibration seed. */
export interface ComparisonRow extends RowDivergence {
  /** As it was asked for. */
  readonly method: string;
  /** Asked share of the prunable parameters to remove; 0 is the dense model. */
  readonly ratio: number;
  /** Of calibration and training. */
  readonly seed: number;
  /** Reached share, and parameters of the pruned model. */
  readonly reachedRatio: number;
  /** Of the pruned model. */
  readonly parameters: number;
  /** Fewer than the dense model has. */
  readonly removedParameters: number;
  /** Perplexity, its standard error over windows, and predictions, by text. */
  readonly texts: Readonly<
    Record<
      string,
      {
        /** On that text. */
        readonly perplexity: number;
        /** Of the perplexity, over windows. */
        readonly standardError: number;
        /** Predictions. */
        readonly tokens: number;
      } & RowDivergence
    >
  >;
  /** Of the first text, for short tables; absent where no text was asked for. */
  readonly perplexity?: number;
  /** Of the perplexity. */
  readonly standardError?: number;
  /** Zero-shot results by task, when they were asked for. */
  readonly tasks?: Readonly<Record<string, TaskScores>>;
  /** How the training went, of a method with recovery. */
  readonly recovery?: RowRecovery;
  /** That the cell took. */
  readonly seconds: number;
}

/** KL from the dense model in nats a token, and the share of equal most probable tokens; absent in files of versions that did not measure it. */
export interface RowDivergence {
  /** Mean KL from the dense model, in nats a token. */
  readonly klDivergence?: Divergence['klDivergence'] | undefined;
  /** Of that mean, over windows. */
  readonly klStandardError?: Divergence['klStandardError'] | undefined;
  /** Share of equal most probable tokens. */
  readonly top1Agreement?: Divergence['top1Agreement'] | undefined;
}

/** The training of a cell. */
export interface RowRecovery
  extends Pick<Recovered, 'steps' | 'bestStep' | 'heldOutBefore' | 'heldOutAfter' | 'trainedTokens' | 'seconds'> {
  /** How the model was trained. */
  readonly method: RecoverOptions['method'];
}

/** What a cell's recovery learns from and how: the method's suffix and the cell's seed say the rest. Default loss: 'text'; the teacher of the others is the dense model. */
export type ComparisonTraining = Omit<
  RecoverOptions,
  'method' | 'seed' | 'teacher' | 'checkpoint' | 'signal' | 'onProgress' | 'onTeacher'
>;

/** Calibration of one seed: its scores, and the windows that methods learn from which work on the model itself. */
export interface ComparisonCalibration {
  /** Of the choice of windows. */
  readonly seed: number;
  /** Of the dense model on them. */
  readonly scores: Scores;
  /** Windows that repair learns from; may be empty where no method repairs. */
  readonly compensationWindows: readonly ArrayLike<number>[];
  /** What the scores are the gradient of. Default: cross-entropy with the text. */
  readonly objective?: ScoreObjective;
  /** For methods that look at the model itself: the windows that the scores are of. */
  readonly windows?: readonly ArrayLike<number>[];
  /** For `saap-measured`: windows to measure pruned models on. */
  readonly measureWindows?: readonly ArrayLike<number>[];
}

/** What is compared, and on what. */
export interface CompareOptions extends LongRunning {
  /** Names as `parseMethod` reads them. */
  readonly methods: readonly string[];
  /** Shares of the prunable weights to remove. */
  readonly ratios: readonly number[];
  /** Of calibration and training. */
  readonly seeds: readonly number[];
  /** Called once per seed, when a cell needs it. */
  readonly calibrate: (seed: number) => Promise<ComparisonCalibration>;
  /** Texts to measure perplexity on. */
  readonly texts: readonly {
    /** Shown in tables. */
    readonly name: string;
    /** Token ids of its windows. */
    readonly windows: readonly ArrayLike<number>[];
  }[];
  /** For methods with recovery: the same training for all of them. */
  readonly training?: ComparisonTraining;
  /** Zero-shot tasks that every cell is measured on too. */
  readonly tasks?: readonly Task[];
  /** Finished cells by `cellKey`; they are not computed again. */
  readonly finished?: ReadonlyMap<string, ComparisonRow>;
  /** Called after each new cell, so that it can be kept. */
  readonly onRow?: (key: string, row: ComparisonRow) => void | Promise<void>;
}
