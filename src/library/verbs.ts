import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { ExportDataType } from '../decoder/dtypes.ts';
import { UsageError } from '../errors.ts';
import { type PerplexityResult, perplexity } from '../evaluate/perplexity.ts';
import { tokenWindows } from '../evaluate/token-windows.ts';
import type { ExportResult } from '../export/export-model.ts';
import type { OutputFolder } from '../export/output-folder.ts';
import {
  type GenerateOptions as DecodeOptions,
  type GeneratedToken,
  type Generation,
  generate as runDecoder,
} from '../generate/generate.ts';
import { decoderForModel } from '../generate/model-decoder.ts';
import type { Scores } from '../importance/sums/scores.ts';
import { makePlan } from '../plan/make-plan.ts';
import type { Plan } from '../plan/plan.ts';
import type { PlanOptions } from '../plan/plan-options.ts';
import { checkCompensation } from '../plan/search/plain-shape.ts';
import type { LongRunning } from '../progress.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { createRuntime, type RuntimeOptions } from './create-runtime.ts';
import { exportPruned } from './export.ts';
import { OpenModel } from './open-model.ts';
import { applyPlan } from './prune.ts';

export interface OpenModelOptions extends LongRunning, RuntimeOptions {
  /** A runtime that stays the caller's. Default: one of `backend`, which goes with the model. */
  readonly runtime?: Runtime;
  readonly residentBytes?: number;
  /** Leave out tensors that the architecture does not read, instead of refusing the model. Default false. */
  readonly ignoreTensors?: boolean;
}

/**
 * Opens a model: a checkpoint, or in Node a name (an embedded id, a folder, a weight file, a hub id). Dispose it after use (`using`).
 * Throws MissingError, FileFormatError or UnsupportedError saying what is wrong with the model.
 */
export async function openModel(source: string | Checkpoint, options: OpenModelOptions = {}): Promise<OpenModel> {
  const { signal, onProgress, residentBytes, ignoreTensors = false } = options;
  const checkpoint =
    typeof source === 'string'
      ? await (await import('../checkpoint/local.ts')).openNamed(source, { signal, onProgress })
      : source;
  const runtime = options.runtime ?? (await createRuntime(options));
  try {
    return new OpenModel(runtime, checkpoint, {
      ...(residentBytes === undefined ? {} : { residentBytes }),
      ignoreTensors,
      ownsRuntime: options.runtime === undefined,
    });
  } catch (error) {
    if (!options.runtime) runtime.dispose();
    throw error;
  }
}

/** Which groups stay, from scores alone: `makePlan`. */
export const plan: (scores: Scores, options: PlanOptions) => Plan = makePlan;

export interface PruneOptions extends LongRunning {
  /** A plan, or scores with what to plan for. */
  readonly plan: Plan | { readonly scores: Scores; readonly options: PlanOptions };
  /** Folder on disk (a path, in Node), or any other output. Absent: nothing is written, and only the pruned model is returned. */
  readonly output?: string | OutputFolder;
  readonly compensate?: 'none' | 'bias' | 'least-squares';
  /** Windows of token ids for compensation and verification. */
  readonly windows?: readonly ArrayLike<number>[];
  readonly dtype?: ExportDataType;
}

/** Slices, compensates, and where an output is given exports and verifies. The pruned model is the caller's to dispose. */
export async function prune(
  model: OpenModel,
  options: PruneOptions,
): Promise<{ readonly plan: Plan; readonly pruned: OpenModel; readonly exported: ExportResult | undefined }> {
  const { output, compensate = 'none', windows, dtype, signal, onProgress } = options;
  const chosen = 'format' in options.plan ? options.plan : makePlan(options.plan.scores, options.plan.options);
  checkCompensation(chosen.recipe.shape, compensate);
  const pruned = await applyPlan(model, chosen.layers, {
    compensate,
    signal,
    onProgress,
    ...(windows ? { windows } : {}),
  });
  if (output === undefined) return { plan: chosen, pruned, exported: undefined };
  try {
    const folder = typeof output === 'string' ? await (await import('../export/disk.ts')).diskOutput(output) : output;
    const recipe = { ...chosen.recipe, compensate, ...(dtype ? { dtype } : {}) };
    const exported = await exportPruned(pruned, {
      output: folder,
      plan: { ...chosen, recipe },
      windows,
      signal,
      onProgress,
      ...(dtype ? { dtype } : {}),
    });
    return { plan: chosen, pruned, exported };
  } catch (error) {
    pruned.dispose();
    throw error;
  }
}

export interface EvaluateOptions extends LongRunning {
  /** Text to predict, or windows of token ids. */
  readonly text?: string;
  readonly windows?: readonly ArrayLike<number>[];
  /** Tokens per window of `text`; default 128. */
  readonly window?: number;
  readonly maxTokens?: number;
}

/** Perplexity of a model by the block programs. Throws UsageError when there is neither text nor windows. */
export async function evaluate(model: OpenModel, options: EvaluateOptions): Promise<PerplexityResult> {
  const { text, windows, window = 128, maxTokens, signal, onProgress } = options;
  if (windows) return perplexity(model.programs, model.store, windows, { signal, onProgress });
  if (text === undefined) throw new UsageError('Nothing to evaluate on: give text or windows.');
  const ids = (await model.tokenizer()).encode(text, { addSpecialTokens: false });
  return perplexity(
    model.programs,
    model.store,
    tokenWindows(maxTokens === undefined ? ids : ids.slice(0, maxTokens), { length: window }),
    {
      signal,
      onProgress,
    },
  );
}

export interface GenerateOptions extends DecodeOptions, LongRunning {
  readonly prompt: string;
  readonly onToken?: (token: GeneratedToken) => void;
}

/** Continues a prompt with the fused decoder of the model, dense or pruned. */
export async function generate(
  model: OpenModel,
  { prompt, onProgress, ...options }: GenerateOptions,
): Promise<Generation> {
  using decoder = await decoderForModel(model.runtime, model.model, { signal: options.signal, onProgress });
  const tokenizer = await model.tokenizer();
  return await runDecoder(decoder, tokenizer, tokenizer.encode(prompt), {
    maximumPositions: model.config.maximumPositions,
    ...options,
  });
}
