import { basename } from 'node:path';
import type { Command } from 'commander';
import type { ExportDataType } from '../decoder/dtypes.ts';
import { CancelledError, FileFormatError, MismatchError, UsageError } from '../errors.ts';
import { DenseReference } from '../evaluate/divergence/dense-reference.ts';
import type { PerplexityResult } from '../evaluate/perplexity.ts';
import { tokenWindows } from '../evaluate/token-windows.ts';
import { applyPlan } from '../library/apply-plan.ts';
import { diskOutput } from '../library/disk.ts';
import { evaluate } from '../library/evaluate.ts';
import type { OpenModel } from '../library/open-model.ts';
import { checkPlanFits } from '../library/plan.ts';
import { exportPruned } from '../library/prune-to-disk.ts';
import {
  type Recovered,
  type RecoverOptions as RecoverSettings,
  type RecoveryProgress,
  recover,
} from '../library/recover.ts';
import type { TrainingData } from '../library/training-data.ts';
import type { Plan } from '../plan/plan.ts';
import type { LongRunning } from '../progress.ts';
import { hasCalibration, readCompensationWindows, readVerificationWindows } from './calibration.ts';
import { choosePlan } from './choose-plan.ts';
import { type Console, createConsole } from './console.ts';
import { interruptedKeeping } from './interrupted.ts';
import { megabytes } from './megabytes.ts';
import { computedOn, withModel } from './models.ts';
import { describePlan } from './plan.ts';
import { addRecoverOptions, type RecoverCommandOptions, settingsFrom, trainingDtype } from './recover-options.ts';
import { type TrainingFile, trainingFile } from './recovery-file.ts';
import { readTextIds } from './text-files.ts';
import { readTrainingFiles } from './training-files.ts';
import { checkWritable } from './write-file.ts';

export function addRecover(program: Command, signal: AbortSignal): void {
  addRecoverOptions(
    program
      .command('recover <model>')
      .description('prunes, trains adapters quantised in groups (or plain), merges them and exports'),
  ).action(async (name: string, options: RecoverCommandOptions) => {
    const output = createConsole({ json: options.json ?? false, quiet: options.quiet ?? false });
    const dtype = trainingDtype(options);
    const training = trainingFile(options.checkpoint, options.output);
    await checkWritable(training.path);
    const folder = await diskOutput(options.output);
    try {
      await withModel(name, options, signal, (open) =>
        recoverAndExport(name, open, options, dtype, { folder, training }, output, signal),
      );
      await training.finish();
    } catch (error) {
      if (training.saved() && error instanceof MismatchError)
        throw new MismatchError(`${training.path}: ${error.message}`, { cause: error });
      if (!training.saved() || error instanceof FileFormatError) throw error;
      const kept = `${training.path} keeps the training`;
      if (signal.aborted) throw interruptedKeeping(kept);
      output.note(`${kept}; the same command goes on from there.`);
      throw error;
    } finally {
      await folder.discard();
    }
  });
}

async function recoverAndExport(
  name: string,
  open: OpenModel,
  options: RecoverCommandOptions,
  dtype: ExportDataType,
  { folder, training }: { readonly folder: Awaited<ReturnType<typeof diskOutput>>; readonly training: TrainingFile },
  output: Console,
  signal: AbortSignal,
): Promise<void> {
  const { data, heldOut } = await readTrainingFiles(open, options);
  const text =
    options.text && (await readTextWindows(open, options.text, options, { signal, onProgress: output.onProgress }));
  for (const line of describeData(data)) output.note(line);
  const plan = wantsPlan(options) ? await choosePlan(name, open, options, output, signal) : undefined;
  using pruned = await prunedModel(name, open, plan, options, output, signal);

  const settings = {
    ...settingsFrom(options),
    ...(options.loss !== 'text' && { teacher: open }),
    examples: data.windows,
    ...(heldOut ? { heldOut } : {}),
  };
  const recovered = await run(pruned, settings, training, output, signal);
  using model = recovered.model;
  for (const note of recovered.notes) output.note(note);

  const against = text && (await DenseReference.of(open.programs, open.store, text, { signal }));
  const measured = text && {
    dense: await measure(open, text, output, signal),
    before: await measure(pruned, text, output, signal, against),
    after: await measure(model, text, output, signal, against),
  };
  const result = await exportPruned(model, {
    output: folder,
    dtype,
    windows: hasCalibration(name, options) ? await readVerificationWindows(name, open, options, { signal }) : undefined,
    figures: figuresOf(recovered, options, data),
    signal,
    onProgress: output.onProgress,
    ...(plan ? { plan: { ...plan, recipe: { ...plan.recipe, compensate: options.compensate, dtype } } } : {}),
  });
  const { parametersBefore, parametersAfter, bytes, verification } = result;
  const { history, steps, bestStep, stoppedBecause, adapterParameters, tokensPerSecond, seconds, notes } = recovered;
  const document = {
    parametersBefore,
    parametersAfter,
    before: { heldOutLoss: recovered.heldOutBefore, ...(measured && figures(measured.before)) },
    after: { heldOutLoss: recovered.heldOutAfter, ...(measured && figures(measured.after)) },
    ...(measured && { dense: figures(measured.dense) }),
    ...{
      steps,
      bestStep,
      stoppedBecause,
      loss: options.loss,
      adapterParameters,
      tokensPerSecond,
      seconds,
      learnt: data.learnt,
      notes,
      history,
    },
    ...{ bytes, verification, output: options.output },
    ...computedOn(open.runtime),
  };
  output.result(document, () => [
    ...(plan ? describePlan(plan) : []),
    `Trained ${adapterParameters.toLocaleString('en-US')} adapter parameters in ${steps} steps (${stoppedBecause}; the best were those of step ${bestStep}), ${tokensPerSecond.toFixed(0)} tokens a second.`,
    `Held-out loss ${recovered.heldOutBefore.toFixed(4)} before and ${recovered.heldOutAfter.toFixed(4)} nats after.`,
    ...(measured
      ? [`Perplexity on ${options.text?.map((path) => basename(path)).join(' + ')}: ${comparison(measured)}.`]
      : []),
    `Wrote ${options.output} (${megabytes(bytes)} of ONNX, ${dtype}).`,
  ]);
}

/** Trains; Ctrl-C keeps the state and ends the command. */
async function run(
  pruned: OpenModel,
  settings: RecoverSettings,
  checkpoint: TrainingFile,
  output: Console,
  signal: AbortSignal,
): Promise<Recovered> {
  const onProgress = (progress: RecoveryProgress) => {
    const { step, loss, heldOutLoss, tokensPerSecond } = progress;
    if (heldOutLoss !== undefined)
      output.note(
        `step ${step}: ${loss === undefined ? '' : `loss ${loss.toFixed(4)}, `}held out ${heldOutLoss.toFixed(4)}, ${tokensPerSecond.toFixed(0)} tokens/s`,
      );
    output.onProgress(progress);
  };
  const recovered = await recover(pruned, {
    ...settings,
    signal,
    onProgress,
    onTeacher: output.onProgress,
    checkpoint,
  });
  if (recovered.stoppedBecause !== 'cancelled') return recovered;
  recovered.model.dispose();
  throw new CancelledError();
}

/** Whether anything is to be pruned: without a plan and a target the model is recovered as it is. */
function wantsPlan(options: RecoverCommandOptions): boolean {
  return (['plan', 'ratio', 'parameters', 'bytes', 'memory'] as const).some((key) => options[key] !== undefined);
}

async function prunedModel(
  name: string,
  open: OpenModel,
  plan: Plan | undefined,
  options: RecoverCommandOptions,
  output: Console,
  signal: AbortSignal,
): Promise<OpenModel> {
  if (!plan) {
    if (options.compensate !== 'none')
      throw new UsageError(
        `--compensate ${options.compensate} repairs what pruning removed; give --plan, or --ratio, or leave it out.`,
      );
    return open.withCheckpoint(open.model.checkpoint);
  }
  checkPlanFits(plan, open.layerGroups());
  const windows =
    options.compensate === 'none' ? undefined : await readCompensationWindows(name, open, options, { signal });
  const { compensate } = options;
  return applyPlan(open, plan.layers, {
    compensate,
    signal,
    onProgress: output.onProgress,
    ...(windows ? { windows } : {}),
  });
}

function describeData({ windows, learnt, truncated, dropped }: TrainingData): string[] {
  const cut = [
    ...(truncated > 0 ? [`${truncated} were cut to the window`] : []),
    ...(dropped > 0 ? [`${dropped} left out, whose answer lies beyond it`] : []),
  ];
  return [
    `${windows.length} training windows, ${learnt} tokens to learn${cut.length > 0 ? `; ${cut.join(', ')}` : ''}.`,
  ];
}

async function readTextWindows(
  open: OpenModel,
  paths: readonly string[],
  { window, maxTokens }: RecoverCommandOptions,
  running: LongRunning,
): Promise<Int32Array[]> {
  const { ids } = await readTextIds(paths, await open.tokenizer(), { ...running, maxTokens, wantsDigest: false });
  return tokenWindows(ids, { length: window });
}

function measure(
  model: OpenModel,
  windows: readonly Int32Array[],
  output: Console,
  signal: AbortSignal,
  against?: DenseReference,
): Promise<PerplexityResult> {
  return evaluate(model, { windows, against, signal, onProgress: output.onProgress });
}

const figures = ({ perplexity: value, standardError, tokens, ...rest }: PerplexityResult) => {
  const { klDivergence, klStandardError, top1Agreement } = rest;
  return { perplexity: value, standardError, tokens, klDivergence, klStandardError, top1Agreement };
};

function comparison({
  dense,
  before,
  after,
}: Readonly<Record<'dense' | 'before' | 'after', PerplexityResult>>): string {
  const show = ({ perplexity: value, standardError }: PerplexityResult) =>
    `${value.toFixed(3)} ± ${standardError.toFixed(3)}`;
  return `${show(dense)} dense, ${show(before)} before recovery, ${show(after)} after it`;
}

/** What the model card and the record say about the training. */
function figuresOf(
  { steps, bestStep, heldOutBefore, heldOutAfter }: Recovered,
  options: RecoverCommandOptions,
  data: TrainingData,
): Record<string, string> {
  const trained = `${options.bits} bits${options.groupSteps ? ' and the steps of groups' : ''}`;
  const how = options.method === 'group-wise' ? `group-wise, ${trained}` : 'plain LoRA';
  return {
    recovery: `${how}, rank ${options.rank ?? 8}, ${steps} steps (those of step ${bestStep} kept), seed ${options.seed}`,
    'recovery text': `${options.data.map((path) => basename(path)).join(' + ')}, ${data.windows.length} windows`,
    'held-out loss': `${heldOutBefore.toFixed(4)} before, ${heldOutAfter.toFixed(4)} after`,
  };
}
