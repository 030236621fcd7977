import { countParameters } from '../architecture/model.ts';
import type { Precision } from '../architecture/precision.ts';
import { HalfPrecisionError, UsageError } from '../errors.ts';
import type { Teacher } from '../evaluate/divergence/teacher.ts';
import type { BackendNote, CrossCheck } from '../importance/cross-check.ts';
import type { SumsInfo } from '../importance/files/sums-file.ts';
import { type ImportanceOptions, importance } from '../importance/importance.ts';
import { layerLayout } from '../importance/program/layer-layout.ts';
import { drawsOf, type Objective } from '../importance/program/objective.ts';
import { FAST_METRICS } from '../importance/sums/metrics.ts';
import { type LayerScores, METRICS, type Metric, type Scores } from '../importance/sums/scores.ts';
import type { LongRunning } from '../progress.ts';
import type { OpenModel } from './open-model.ts';
import { type PrecisionChoice, precisionsFor, scoringPrograms } from './score-precision.ts';
import { resumable, type ScoreStateStore } from './score-resume.ts';
import { VERSION } from './version.ts';

/** What importance is the gradient of (`Objective`). */
export type ScoreObjective =
  | {
      /** The text's cross-entropy, the same with labels that the model draws, or KL from a teacher. */
      readonly kind: 'text';
    }
  | {
      /** The text's cross-entropy, the same with labels that the model draws, or KL from a teacher. */
      readonly kind: 'model';
      /** Times that the labels of a window are drawn. Default 1. */
      readonly draws?: number;
    }
  | {
      /** The text's cross-entropy, the same with labels that the model draws, or KL from a teacher. */
      readonly kind: 'teacher';
      /** The dense model on the same windows. */
      readonly teacher: Teacher;
    };

/** What importance is computed on, and which metrics of it. */
export interface ScoreOptions extends LongRunning {
  /** Equally long windows of token ids. */
  readonly windows: readonly ArrayLike<number>[];
  /** Recorded in the score file. */
  readonly calibration: {
    /** Names of the files. */
    readonly source: string;
    /** Of the text. */
    readonly sha256: string;
    /** Of the choice of windows. */
    readonly seed: number;
  };
  /** Default: all. */
  readonly metrics?: readonly Metric[];
  /** Default: cross-entropy with the text. Labels of `model` are drawn with the calibration's seed. */
  readonly objective?: ScoreObjective;
  /** Scores a few groups on another backend too, and notes where the two differ: for WebGPU, whose drivers can be wrong without an error. */
  readonly crossCheck?: CrossCheck | undefined;
  /**
   * What blocks compute in. Default 'f32', single precision. 'auto': with `crossCheck`, half precision on a graphics card that has it, and single precision where that does not suffice, as a note tells; single precision
   * elsewhere.
   */
  readonly precision?: PrecisionChoice;
  /** Where to keep what is finished, and to go on from: a run that is cancelled, or ends otherwise, loses its forward pass and one layer at most, or of a layer that takes long the batches of some seconds. Clear it when the scores are safe. */
  readonly state?: ScoreStateStore | undefined;
  /** Told the scores of each layer once they are final, from the last layer to the first; those of a stored state first, and all again where half precision did not suffice. */
  readonly onLayer?: ((layer: number, scores: LayerScores) => void) | undefined;
}

/** Half precision did not suffice, and single precision was used. */
export interface PrecisionNote {
  /** Which kind of note. */
  readonly code: 'single-precision';
  /** A sentence for people. */
  readonly message: string;
}

/** What a reader should know of how scores came about. */
export type ScoreNote = BackendNote | PrecisionNote;

/** Scores, and what they took. */
export interface ScoreRun {
  /** For planning, and for a score file. */
  readonly scores: Scores;
  /** Of this run; one that went on from a stored state did less. */
  readonly seconds: number;
  /** Of the seconds, those of the forward pass. */
  readonly forwardSeconds: number;
  /** Also in the scores, as sentences. */
  readonly notes: readonly ScoreNote[];
  /** What blocks computed in. */
  readonly precision: Precision;
  /** Layers that a stored state already had. */
  readonly resumedLayers: number;
  /** Peak of the runtime's tensors during scoring, and of the kernels' own memory, in bytes. */
  readonly peakBytes: number;
}

/** Scores every group of a model on calibration windows (docs/method.md section 2). Throws UnsupportedError, HalfPrecisionError and DeviceError as `precision` says. */
export async function score(open: OpenModel, options: ScoreOptions): Promise<ScoreRun> {
  const [first, otherwise] = precisionsFor(open.runtime, options.precision, options.crossCheck !== undefined);
  try {
    return await scoreIn(open, options, first);
  } catch (error) {
    if (otherwise === undefined || !(error instanceof HalfPrecisionError)) throw error;
    const message = `Half precision did not suffice, and single precision was used. ${error.message}`;
    return scoreIn(open, options, otherwise, [{ code: 'single-precision', message }]);
  }
}

async function scoreIn(
  open: OpenModel,
  options: ScoreOptions,
  precision: Precision,
  told: readonly ScoreNote[] = [],
): Promise<ScoreRun> {
  open.runtime.resetPeak();
  const base = importanceOptions(open, options);
  const resuming =
    options.state && (await resumable(open, options.windows, await sumsInfo(open, options, precision), options.state));
  using on = scoringPrograms(open, precision);
  const result = await importance(on.programs, on.store, options.windows, { ...base, ...resuming });
  const notes = [...told, ...result.notes];
  const described = await describeRun(open, options, precision, result);
  const scores: Scores = {
    format: 'espalier-scores/1',
    ...described,
    ...(notes.length > 0 && { engine: { ...described.engine, notes: notes.map(({ message }) => message) } }),
    layers: result.layers,
  };
  const resumedLayers = resuming?.resume?.layers.length ?? 0;
  return {
    scores,
    seconds: result.seconds,
    forwardSeconds: result.forwardSeconds,
    notes,
    precision,
    resumedLayers,
    peakBytes: open.runtime.statistics().peakBytes + result.kernelBytes,
  };
}

/** The metrics that are asked for; all by default. Throws UsageError for none. */
function wantedMetrics({ metrics = METRICS }: Pick<ScoreOptions, 'metrics'>): readonly Metric[] {
  if (metrics.length === 0) throw new UsageError(`No metric is asked for; choose from ${METRICS.join(', ')}.`);
  return metrics;
}

/** What a run computes and whom it tells. */
export function importanceOptions(open: OpenModel, options: ScoreOptions, firstWindow = 0): ImportanceOptions {
  const objective = objectiveOf(options);
  return {
    signal: options.signal,
    onProgress: options.onProgress,
    onScores: options.onLayer,
    structuresOf: open.structuresOf,
    crossCheck: options.crossCheck,
    metrics: wantedMetrics(options),
    objective: objective.kind === 'model' ? { ...objective, firstWindow } : objective,
  };
}

/** What a run differentiates. Throws UsageError for a number of draws that is none, or a teacher of other windows. */
export function objectiveOf({
  objective = { kind: 'text' },
  calibration,
  windows,
}: Pick<ScoreOptions, 'windows'> & {
  readonly objective?: ScoreObjective | undefined;
  readonly calibration: { readonly seed: number };
}): Objective {
  if (objective.kind === 'text') return objective;
  if (objective.kind === 'teacher') {
    if (objective.teacher.windows !== windows)
      throw new UsageError('The teacher was run on other windows than are scored; run it on these.');
    return objective;
  }
  const { draws = 1 } = objective;
  if (!Number.isSafeInteger(draws) || draws < 1)
    throw new UsageError(`draws is ${draws}; it must be a whole number, 1 or more.`);
  return { kind: 'model', draws, seed: calibration.seed };
}

/** What score files record about a run. */
async function describeRun(
  open: OpenModel,
  options: ScoreOptions,
  precision: Precision,
  { loss, tokens }: { readonly loss: number; readonly tokens: number },
): Promise<Pick<Scores, 'model' | 'calibration' | 'engine' | 'groups'>> {
  return { ...(await describeModel(open, precision)), calibration: { ...textOf(options), loss, tokens } };
}

async function describeModel(
  open: OpenModel,
  precision: Precision,
): Promise<Pick<Scores, 'model' | 'engine' | 'groups'>> {
  const { checkpoint } = open.model;
  const { name, revision } = checkpoint.provenance;
  return {
    model: {
      name,
      ...(revision === undefined ? {} : { revision }),
      sha256: await checkpoint.sha256(),
      config: checkpoint.config,
      parameters: countParameters(open.model).parameters,
    },
    engine: { version: VERSION, backend: open.runtime.backend, ...(precision === 'f16' && { precision }) },
    groups: open.layerGroups(),
  };
}

function textOf(options: ScoreOptions): Omit<Scores['calibration'], 'loss' | 'tokens'> {
  const { windows, calibration } = options;
  const objective = objectiveOf(options);
  return {
    ...calibration,
    ...(objective.kind !== 'text' && { objective: objective.kind }),
    ...(objective.kind === 'model' && { draws: objective.draws }),
    windows: windows.length,
    length: windows[0]?.length ?? 0,
  };
}

/** What a file of sums says of a run, or of one shard of it. */
export async function sumsInfo(
  open: OpenModel,
  options: ScoreOptions,
  precision: Precision,
  part: { readonly shard: SumsInfo['shard']; readonly own: ScoreOptions['windows'] } = {
    shard: { index: 0, count: 1 },
    own: options.windows,
  },
): Promise<SumsInfo> {
  const { architecture } = open.model;
  return {
    ...(await describeModel(open, precision)),
    calibration: textOf(options),
    draws: drawsOf(objectiveOf(options)),
    shard: part.shard,
    metrics: wantedMetrics(options),
    windows: part.own.length,
    rows: part.own.reduce((sum, window) => sum + window.length, 0),
    layouts: open.config.layerWidths.map((_, layer) => layerLayout(architecture, layer, open.structuresOf(layer))),
  };
}

/** Parses a comma-separated list of metrics; `fast` stands for those without weight gradients. Throws UsageError naming the unknown one and the legal ones. */
export function parseMetrics(list: string): Metric[] {
  return list.split(',').flatMap((name) => {
    if (name.trim() === 'fast') return FAST_METRICS;
    const metric = METRICS.find((known) => known === name.trim());
    if (!metric) throw new UsageError(`"${name.trim()}" is not a metric; choose from fast, ${METRICS.join(', ')}.`);
    return metric;
  });
}
