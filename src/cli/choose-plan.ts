import type { Command } from 'commander';
import { MismatchError, UsageError } from '../errors.ts';
import type { Scores } from '../importance/sums/scores.ts';
import type { OpenModel } from '../library/open-model.ts';
import { DEFAULT_EVALUATIONS, planFor, readPlan } from '../library/plan.ts';
import { planForSpeed } from '../library/plan-for-speed.ts';
import { planInPasses } from '../library/plan-in-passes.ts';
import { refine } from '../library/refine.ts';
import { type ScoreObjective, score } from '../library/score.ts';
import { spendVocabulary } from '../library/spend-vocabulary.ts';
import type { Plan } from '../plan/plan.ts';
import type { PlanOptions } from '../plan/plan-options.ts';
import { readCalibration, readCompensationWindows, readMeasureWindows } from './calibration.ts';
import type { Console } from './console.ts';
import { halfPrecisionCheck } from './half-precision-check.ts';
import { readBytes } from './input-file.ts';
import { embeddedScores, readScores } from './models.ts';
import {
  addObjectiveOptions,
  type CalibrationOptions,
  DEFAULT_MEASURE_WINDOWS,
  type ObjectiveOptions,
  oneOf,
  realNumber,
  wholeNumber,
} from './options.ts';
import {
  AUTO_VOCABULARY,
  givenPlanOptions,
  type PlanCommandOptions,
  planChoicesFrom,
  planOptionsFrom,
  TARGETS,
} from './plan-options.ts';

/** Options of `prune` that say where its plan comes from. */
export interface ChoosePlanOptions extends CalibrationOptions, ObjectiveOptions, Omit<PlanCommandOptions, 'seed'> {
  readonly plan?: string;
  readonly scores?: string;
  readonly passes: number;
  readonly evaluations?: number;
  readonly measureWindows?: number;
  readonly measure?: 'kl' | 'perplexity';
  readonly tokensPerSecond?: number;
}

export function addChoosePlanOptions(command: Command): Command {
  return addObjectiveOptions(command, 'KL from the dense model in passes after the first, whose labels the model draws')
    .option('--plan <file>', 'plan to follow; else one is made from scores and a target')
    .option('--scores <file>', 'scores to plan from; else they are computed from the calibration text')
    .option(
      '--passes <n>',
      'score, prune a part, score again: so many parts; worth its cost from a ratio of 0.3 on',
      wholeNumber('--passes', 1),
      1,
    )
    .option(
      '--evaluations <n>',
      `with --search measured: pruned models to measure beyond the closed-form searches and baselines (default: ${DEFAULT_EVALUATIONS})`,
      wholeNumber('--evaluations', 0),
    )
    .option(
      '--measure-windows <n>',
      `with --search measured: calibration windows to measure on (default: ${DEFAULT_MEASURE_WINDOWS}, or as many as the text has)`,
      wholeNumber('--measure-windows', 1),
    )
    .option(
      '--measure <what>',
      'with --search measured: what is lowest for the best plan, kl (from the dense model) or perplexity (default: kl)',
      oneOf('--measure', ['kl', 'perplexity']),
    )
    .option(
      '--tokens-per-second <n>',
      'in place of a target: remove least for decoding at least so fast on this machine, by a curve that is measured first',
      realNumber('--tokens-per-second', 0),
    );
}

/** The plan that the options ask for: read from a file, made from scores, in passes, or measured. */
export async function choosePlan(
  name: string,
  open: OpenModel,
  options: ChoosePlanOptions,
  output: Console,
  signal: AbortSignal,
): Promise<Plan> {
  if (options.plan !== undefined) {
    const others = { '--scores': options.scores, '--tokens-per-second': options.tokensPerSecond };
    const [clash] = [
      ...givenPlanOptions(options),
      ...Object.entries(others).flatMap(([flag, value]) => (value === undefined ? [] : [flag])),
    ];
    if (clash) throw new UsageError(`--plan already says what stays; leave out ${clash}.`);
    if (options.vocabulary === AUTO_VOCABULARY)
      throw new UsageError(
        '--vocabulary auto chooses how a target is met, and --plan says what stays. Give a size such as --vocabulary 0.5, or a target in place of --plan.',
      );
    return readPlan(await readBytes(options.plan), open, options.plan);
  }
  if (options.tokensPerSecond !== undefined)
    return forSpeed(name, open, options, options.tokensPerSecond, output, signal);
  const planning = planOptionsFrom(options);
  const measures = planning.search === 'measured';
  const spends = planning.vocabulary === AUTO_VOCABULARY;
  if (spends && (measures || options.passes > 1))
    throw new UsageError(
      '--vocabulary auto plans in one pass by a closed-form search; leave out --search measured and --passes, or give a size such as --vocabulary 0.5.',
    );
  if (measures && options.passes > 1)
    throw new UsageError('--search measured plans in one pass; leave out --passes, or choose another search.');
  const scores = await chooseScores(name, open, options, output, signal);
  if (spends) return spend(name, open, scores, planning, options, output, signal);
  if (measures) return measure(name, open, scores, planning, options, output, signal);
  if (options.passes === 1) return planFor(open, scores, planning);
  const calibration = await readCalibration(name, open, options, { signal, onProgress: output.onProgress });
  return planInPasses(open, {
    ...calibration,
    passes: options.passes,
    precision: options.precision,
    crossCheck: halfPrecisionCheck(open.runtime, options.precision),
    objective: objectiveOf(options),
    teacherAfterFirst: options.objective === 'teacher',
    plan: planning,
    scores,
    signal,
    onProgress: output.onProgress,
  });
}

/** The plan that removes least for a speed here, with the curve that it was read from. */
async function forSpeed(
  name: string,
  open: OpenModel,
  options: ChoosePlanOptions,
  tokensPerSecond: number,
  output: Console,
  signal: AbortSignal,
): Promise<Plan> {
  const choices = planChoicesFrom(options);
  const clash = TARGETS.find((kind) => options[kind] !== undefined);
  if (clash) throw new UsageError(`--tokens-per-second is a target by itself; leave out --${clash}.`);
  if (choices.search === 'measured' || options.passes > 1 || choices.vocabulary !== undefined)
    throw new UsageError(
      '--tokens-per-second plans in one pass by a closed-form search, with the whole vocabulary; leave out --search measured, --passes and --vocabulary.',
    );
  const scores = await chooseScores(name, open, options, output, signal);
  const found = await planForSpeed(open, scores, {
    ...{ plan: choices, tokensPerSecond, signal },
    onProgress: output.onProgress,
  });
  const { backend, description } = open.runtime;
  const points = found.curve.map(
    ({ ratio, tokensPerSecond: speed }) => `${speed.toFixed(1)} at ${(100 * ratio).toFixed(1)}%`,
  );
  const asked = `at least ${tokensPerSecond} tokens per second on ${backend} (${description}); measured ${found.tokensPerSecond.toFixed(1)} whole, ${points.join(', ')}`;
  output.note(`Asked for ${asked}; removed ${(100 * found.plan.ratio).toFixed(1)}%.`);
  return { ...found.plan, recipe: { ...found.plan.recipe, asked } };
}

/** The plan with the size of the vocabulary that meets the target best, and what was tried for it. */
async function spend(
  name: string,
  open: OpenModel,
  scores: Scores,
  { vocabulary: _, ...plan }: PlanOptions,
  options: ChoosePlanOptions,
  output: Console,
  signal: AbortSignal,
): Promise<Plan> {
  const found = await spendVocabulary(open, scores, {
    plan,
    windows: await readCompensationWindows(name, open, options, { signal }),
    measureWindows: await readMeasureWindows(name, open, options, { signal }),
    signal,
    onProgress: output.onProgress,
  });
  for (const { tokens, ratio, bitsPerByte } of found.trials)
    output.note(
      `With ${tokens} tokens the target takes ${(100 * ratio).toFixed(1)}% of attention and MLP: ${bitsPerByte.toFixed(4)} bits per byte of calibration text.`,
    );
  return found.plan;
}

async function measure(
  name: string,
  open: OpenModel,
  scores: Scores,
  planning: PlanOptions,
  options: ChoosePlanOptions,
  output: Console,
  signal: AbortSignal,
): Promise<Plan> {
  const windows = await readMeasureWindows(name, open, options, { signal });
  const { measure: of = 'kl' } = options;
  const { plan, loss, measurements, candidates } = await refine(open, scores, {
    plan: planning,
    windows,
    measure: of,
    signal,
    onProgress: output.onProgress,
    ...(options.evaluations === undefined ? {} : { evaluations: options.evaluations }),
  });
  for (const [index, measurement] of measurements.entries())
    output.note(
      `${index < candidates ? 'candidate' : 'walk'} ${measurement.name}: ${of === 'kl' ? 'KL' : 'loss'} ${measurement.loss.toFixed(4)}`,
    );
  output.note(
    `Measured ${measurements.length} plans on ${windows.length} windows; the best has a ${of === 'kl' ? 'KL from the dense model' : 'loss'} of ${loss.toFixed(4)} nats.`,
  );
  return plan;
}

async function chooseScores(
  name: string,
  open: OpenModel,
  options: ChoosePlanOptions,
  output: Console,
  signal: AbortSignal,
): Promise<Scores> {
  if (options.scores !== undefined) {
    const scores = await readScores(options.scores);
    const sha256 = await open.model.checkpoint.sha256();
    if (scores.model.sha256 !== sha256) {
      throw new MismatchError(
        `${options.scores} holds the scores of ${scores.model.name} (${scores.model.sha256.slice(0, 12)}…), but ${name} has the weights ${sha256.slice(0, 12)}…. Score ${name} first.`,
      );
    }
    return scores;
  }
  const shipped =
    options.calibration === undefined &&
    options.tokenIds === undefined &&
    options.objective === 'text' &&
    options.precision !== 'f16'
      ? embeddedScores(name)
      : undefined;
  if (shipped !== undefined) return readScores(shipped);
  const calibration = await readCalibration(name, open, options, { signal, onProgress: output.onProgress });
  const objective = objectiveOf(options);
  const { precision } = options;
  const crossCheck = halfPrecisionCheck(open.runtime, precision);
  const telling = { signal, onProgress: output.onProgress };
  const { scores, notes } = await score(open, { ...calibration, objective, precision, crossCheck, ...telling });
  for (const { message } of notes) output.note(message);
  return scores;
}

/** What the dense model's importance is the gradient of: KL from itself has none. Throws UsageError for options that do not belong together. */
function objectiveOf({ objective, draws, passes, scores, plan }: ChoosePlanOptions): ScoreObjective {
  const given = objective !== 'text';
  if (draws !== undefined && !given) throw new UsageError('--draws is for --objective model or teacher; it is text.');
  if (given && (scores !== undefined || plan !== undefined) && passes === 1)
    throw new UsageError(`--objective ${objective} is for scoring, and the scores are given; leave one of them out.`);
  if (objective === 'teacher' && passes === 1)
    throw new UsageError(
      '--objective teacher is for passes after the first; give --passes of 2 or more, or choose model.',
    );
  return given ? { kind: 'model', draws: draws ?? 1 } : { kind: 'text' };
}
