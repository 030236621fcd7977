import type { Command } from 'commander';
import { EXPORT_FORMATS } from '../decoder/dtypes.ts';
import { diskOutput } from '../export/disk.ts';
import { exportPruned } from '../library/export.ts';
import { applyPlan } from '../library/prune.ts';
import { checkPlanFits } from '../plan/plan-file.ts';
import { hasCalibration, readCompensationWindows, readVerificationWindows } from './calibration.ts';
import { addChoosePlanOptions, type ChoosePlanOptions, choosePlan } from './choose-plan.ts';
import { createConsole } from './console.ts';
import { withModel } from './models.ts';
import {
  addCalibrationOptions,
  addCommonOptions,
  type CommonOptions,
  DEFAULT_COMPENSATION_WINDOWS,
  oneOf,
  realNumber,
  wholeNumber,
} from './options.ts';
import { describePlan } from './plan.ts';
import { addPlanOptions } from './plan-options.ts';

interface PruneOptions extends CommonOptions, ChoosePlanOptions {
  readonly compensate: 'none' | 'bias' | 'least-squares';
  readonly compensationWindows?: number;
  readonly lambda?: number;
  readonly output: string;
}

export function addPrune(program: Command, signal: AbortSignal): void {
  const command = program
    .command('prune <model>')
    .description('slices, compensates, exports and verifies a pruned ONNX model');
  addCommonOptions(addCalibrationOptions(addChoosePlanOptions(addPlanOptions(command))))
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
    .option(
      '--lambda <l>',
      'ridge of least-squares, relative to the mean diagonal (default: 0.001)',
      realNumber('--lambda', 0),
    )
    .requiredOption('--output <folder>', 'folder to write')
    .action(async (name: string, options: PruneOptions) => {
      const output = createConsole({ json: options.json ?? false, quiet: options.quiet ?? false });
      const folder = await diskOutput(options.output);
      try {
        await withModel(name, options, signal, async (open) => {
          const plan = await choosePlan(name, open, options, output, signal);
          checkPlanFits(plan, open.layerGroups());
          const dtype = options.dtype ?? plan.recipe.dtype ?? 'f32';
          const { note } = EXPORT_FORMATS[dtype];
          if (note) output.note(`${dtype}: ${note}`);
          const windows =
            options.compensate === 'none' ? undefined : await readCompensationWindows(name, open, options);
          using pruned = await applyPlan(open, plan.layers, {
            compensate: options.compensate,
            signal,
            onProgress: output.onProgress,
            ...(windows ? { windows } : {}),
            ...(options.lambda === undefined ? {} : { lambda: options.lambda }),
          });
          const recipe = { ...plan.recipe, compensate: options.compensate, dtype };
          const verificationWindows = hasCalibration(name, options)
            ? await readVerificationWindows(name, open, options)
            : undefined;
          const result = await exportPruned(pruned, {
            output: folder,
            dtype,
            plan: { ...plan, recipe },
            windows: verificationWindows,
            signal,
            onProgress: output.onProgress,
          });
          const { parametersBefore, parametersAfter, bytes, verification } = result;
          const { maxAbsoluteDifference, top1Agreement, positions } = verification;
          output.result(
            { parametersBefore, parametersAfter, ratio: plan.ratio, bytes, verification, output: options.output },
            () => [
              ...describePlan(plan),
              `Verified over ${positions} positions: largest logit difference ${maxAbsoluteDifference.toExponential(1)}, same most probable token at ${(top1Agreement * 100).toFixed(1)}%.`,
              `Wrote ${options.output} (${(bytes / 2 ** 20).toFixed(1)} MiB of ONNX, ${dtype}).`,
            ],
          );
        });
      } finally {
        await folder.discard();
      }
    });
}
