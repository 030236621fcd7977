import type { Command } from 'commander';
import { MismatchError, UsageError } from '../errors.ts';
import { diskOutput } from '../export/disk.ts';
import { EXPORT_FORMATS, type ExportDataType } from '../export/dtypes.ts';
import { exportPruned } from '../library/export.ts';
import type { OpenModel } from '../library/open-model.ts';
import { applyPlan } from '../library/prune.ts';
import { score } from '../library/score.ts';
import { makePlan } from '../saap/make-plan.ts';
import type { Scores } from '../saap/scores.ts';
import type { Plan } from '../surgery/plan.ts';
import { checkPlanFits, decodePlan } from '../surgery/plan-file.ts';
import { hasCalibration, readBytes, readCalibration, readCompensationWindows, readVerificationWindows } from './calibration.ts';
import { type Console, createConsole } from './console.ts';
import { embeddedScores, readScores, withModel } from './models.ts';
import {
  addCalibrationOptions,
  addCommonOptions,
  type CalibrationOptions,
  type CommonOptions,
  DEFAULT_COMPENSATION_WINDOWS,
  oneOf,
  realNumber,
  wholeNumber,
} from './options.ts';
import { describePlan } from './plan.ts';
import { addPlanOptions, type PlanCommandOptions, planOptionsFrom } from './plan-options.ts';

interface PruneOptions extends CommonOptions, CalibrationOptions, Omit<PlanCommandOptions, 'seed'> {
  readonly plan?: string;
  readonly scores?: string;
  readonly compensate: 'none' | 'bias' | 'least-squares';
  readonly compensationWindows?: number;
  readonly lambda?: number;
  readonly dtype: ExportDataType;
  readonly output: string;
}

const DATA_TYPES = Object.keys(EXPORT_FORMATS) as ExportDataType[];

export function addPrune(program: Command, signal: AbortSignal): void {
  const command = program.command('prune <model>').description('slices, compensates, exports and verifies a pruned ONNX model');
  addCommonOptions(addCalibrationOptions(addPlanOptions(command)))
    .option('--plan <file>', 'plan to follow; else one is made from scores and a target')
    .option('--scores <file>', 'scores to plan from; else they are computed from the calibration text')
    .option(
      '--compensate <how>',
      'repair of the output projections: none, bias or least-squares',
      oneOf('--compensate', ['none', 'bias', 'least-squares']),
      'none',
    )
    .option(
      '--compensation-windows <n>',
      `calibration windows that compensation learns from (default: ${DEFAULT_COMPENSATION_WINDOWS}, or as many as the text has)`,
      wholeNumber('--compensation-windows', 1),
    )
    .option('--lambda <l>', 'ridge of least-squares, relative to the mean diagonal (default: 0.001)', realNumber('--lambda', 0))
    .option('--dtype <type>', `number format of the export: ${DATA_TYPES.join(', ')}`, oneOf('--dtype', DATA_TYPES), 'f32')
    .requiredOption('--output <folder>', 'folder to write')
    .action(async (name: string, options: PruneOptions) => {
      const output = createConsole({ json: options.json ?? false, quiet: options.quiet ?? false });
      const folder = await diskOutput(options.output);
      try {
        await withModel(name, options, async (open) => {
          const plan = await choosePlan(name, open, options, output, signal);
          checkPlanFits(plan, open.layerGroups());
          const windows = options.compensate === 'none' ? undefined : await readCompensationWindows(name, open, options);
          using pruned = await applyPlan(open, plan.layers, {
            compensate: options.compensate,
            signal,
            onProgress: output.onProgress,
            ...(windows ? { windows } : {}),
            ...(options.lambda === undefined ? {} : { lambda: options.lambda }),
          });
          const recipe = { ...plan.recipe, compensate: options.compensate, dtype: options.dtype };
          const verificationWindows = hasCalibration(name, options) ? await readVerificationWindows(name, open, options) : undefined;
          const result = await exportPruned(pruned, {
            output: folder,
            dtype: options.dtype,
            plan: { ...plan, recipe },
            windows: verificationWindows,
            signal,
            onProgress: output.onProgress,
          });
          const { parametersBefore, parametersAfter, bytes, verification } = result;
          const { maxAbsoluteDifference, top1Agreement, positions } = verification;
          output.result({ parametersBefore, parametersAfter, ratio: plan.ratio, bytes, verification, output: options.output }, () => [
            ...describePlan(plan),
            `Verified over ${positions} positions: largest logit difference ${maxAbsoluteDifference.toExponential(1)}, same most probable token at ${(top1Agreement * 100).toFixed(1)}%.`,
            `Wrote ${options.output} (${(bytes / 2 ** 20).toFixed(1)} MiB of ONNX, ${options.dtype}).`,
          ]);
        });
      } finally {
        await folder.discard();
      }
    });
}

async function choosePlan(name: string, open: OpenModel, options: PruneOptions, output: Console, signal: AbortSignal): Promise<Plan> {
  if (options.plan !== undefined) {
    const given = ['ratio', 'parameters', 'bytes', 'scores'] as const;
    const clash = given.find((key) => options[key] !== undefined);
    if (clash) throw new UsageError(`--plan already says what stays; leave out --${clash}.`);
    return decodePlan(await readBytes(options.plan), options.plan);
  }
  const planning = planOptionsFrom(options);
  const scores = await chooseScores(name, open, options, output, signal);
  return makePlan(scores, planning);
}

async function chooseScores(name: string, open: OpenModel, options: PruneOptions, output: Console, signal: AbortSignal): Promise<Scores> {
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
  const shipped = options.calibration === undefined && options.tokenIds === undefined ? embeddedScores(name) : undefined;
  if (shipped !== undefined) return readScores(shipped);
  const calibration = await readCalibration(name, open, options);
  return (await score(open, { ...calibration, signal, onProgress: output.onProgress })).scores;
}
