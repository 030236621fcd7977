import type { ExportDataType } from '../decoder/dtypes.ts';
import { UsageError } from '../errors.ts';
import type { ExportResult } from '../export/export-model.ts';
import type { OutputFolder } from '../export/output-folder.ts';
import { MODULES } from '../importance/structures/structures.ts';
import type { Scores } from '../importance/sums/scores.ts';
import type { Plan } from '../plan/plan.ts';
import { checkPlanFits } from '../plan/plan-file.ts';
import type { PlanOptions } from '../plan/plan-options.ts';
import { checkCompensation } from '../plan/search/plain-shape.ts';
import { type ApplyPlanOptions, applyPlan } from './apply-plan.ts';
import { type Damage, damage, damageFigures } from './damage.ts';
import { type ExportPrunedOptions, exportPruned } from './export.ts';
import type { OpenModel } from './open-model.ts';
import { planFor } from './plan.ts';
import { trimVocabulary, type VocabularyCost, vocabularyCost } from './vocabulary.ts';

export { checkCompensation } from '../plan/search/plain-shape.ts';

/** What is pruned, how it is repaired, and where it goes. */
export interface PruneOptions
  extends Omit<ApplyPlanOptions, 'compensate'>,
    Pick<
      ExportPrunedOptions,
      'formats' | 'safetensorsType' | 'ggufType' | 'rounding' | 'roundingWindows' | 'elsewhere'
    > {
  /** A plan, or scores with what to plan for. */
  readonly plan:
    | Plan
    | {
        /** Of the model. */
        readonly scores: Scores;
        /** What to plan for. */
        readonly options: PlanOptions;
      };
  /** Where the export goes. Absent: nothing is written, and only the pruned model is returned. */
  /** Default: none. */
  readonly compensate?: NonNullable<Plan['recipe']['compensate']>;
  /** Where the export goes. Absent: nothing is written. */
  readonly output?: OutputFolder;
  /** Windows of real text to verify the export on; default: those of compensation. */
  readonly verificationWindows?: readonly ArrayLike<number>[] | undefined;
  /**
   * Export a model that nothing is removed from (default false: UsageError), and keep a coarse format that is farther from the model than its bounds allow
   * (default false: VerificationError).
   */
  readonly force?: boolean | undefined;
  /** Number format of the export; default: the recipe's, else f32. */
  readonly dtype?: ExportDataType | undefined;
  /** How much of the vocabulary stays: '16384', '0.5' or 'seen' (`trimVocabulary`). Default: what the plan's recipe says, else all of it. */
  readonly vocabulary?: string | undefined;
  /** Text that the vocabulary is chosen by, as windows of token ids; default: that of verification. */
  readonly vocabularyWindows?: readonly ArrayLike<number>[] | undefined;
  /** Measurements for the model card. */
  readonly figures?: Readonly<Record<string, string>>;
}

/** A pruned model, and what was written of it. */
export interface Pruned {
  /** The plan that was followed. */
  readonly plan: Plan;
  /** The caller's to dispose. */
  readonly pruned: OpenModel;
  /** What happened to the vocabulary, where it was made smaller. */
  readonly vocabulary?: VocabularyCost;
  /** Undefined where there was no output. */
  readonly exported: ExportResult | undefined;
  /** How far the pruned model is from the dense one, on the windows that the export was verified on. */
  readonly fromDense?: Damage;
}

/** Slices, compensates, and where an output is given exports and verifies. Throws MismatchError for a plan of another model, UsageError for one that removes nothing, and what export throws. */
export async function prune(
  model: OpenModel,
  options: PruneOptions & { readonly output: OutputFolder },
): Promise<Pruned & { readonly exported: ExportResult }>;
export async function prune(model: OpenModel, options: PruneOptions): Promise<Pruned>;
export async function prune(model: OpenModel, options: PruneOptions): Promise<Pruned> {
  const { output, compensate: compensation = 'none', windows, verificationWindows = windows, figures } = options;
  const { formats, safetensorsType, ggufType, rounding, roundingWindows, elsewhere, force, signal, onProgress } =
    options;
  const chosen = 'format' in options.plan ? options.plan : planFor(model, options.plan.scores, options.plan.options);
  checkPlanFits(chosen, model.layerGroups());
  checkCompensation(chosen.recipe.shape, compensation);
  const vocabulary = options.vocabulary ?? chosen.recipe.vocabulary;
  const keepsAll = vocabulary === undefined && removesNothing(chosen, model);
  if (output !== undefined && !options.force && keepsAll)
    throw new UsageError(
      'The plan removes nothing: the export would be the model as it is. Ask for more, or for smaller steps (--round-to 1); --force exports it all the same.',
    );
  const dtype = options.dtype ?? chosen.recipe.dtype ?? 'f32';
  const plan = {
    ...chosen,
    recipe: { ...chosen.recipe, ...(vocabulary !== undefined && { vocabulary }), compensate: compensation, dtype },
  };
  const pruned = await applyPlan(model, chosen.layers, options);
  if (output === undefined) return { plan, pruned, exported: undefined };
  try {
    const fromDense = verificationWindows && (await damage(model, pruned, verificationWindows, { signal, onProgress }));
    const trimmed =
      vocabulary === undefined
        ? undefined
        : await trimVocabulary(pruned, {
            keep: vocabulary,
            windows: options.vocabularyWindows ?? verificationWindows ?? [],
            signal,
            onProgress,
          });
    const inTokens = (given: readonly ArrayLike<number>[] | undefined) => given && (trimmed?.reencode(given) ?? given);
    const roundingText = inTokens(roundingWindows);
    const cost = trimmed && vocabularyCost(trimmed);
    const exported = await exportPruned(trimmed?.model ?? pruned, {
      output,
      dtype,
      plan,
      windows: inTokens(verificationWindows),
      formats,
      safetensorsType,
      ggufType,
      elsewhere,
      force,
      rounding,
      ...(roundingText && { roundingWindows: roundingText }),
      signal,
      onProgress,
      figures: { ...(fromDense && damageFigures(fromDense)), ...(cost && vocabularyFigures(cost)), ...figures },
    });
    if (trimmed) pruned.dispose();
    return {
      plan,
      pruned: trimmed?.model ?? pruned,
      exported,
      ...(fromDense && { fromDense }),
      ...(cost && { vocabulary: cost }),
    };
  } catch (error) {
    pruned.dispose();
    throw error;
  }
}

/** Whether a plan keeps every group of the model. */
function removesNothing({ layers }: Pick<Plan, 'layers'>, model: OpenModel): boolean {
  return model
    .layerGroups()
    .every((groups, layer) =>
      MODULES.every((module) => (layers[layer]?.[module]?.length ?? 0) === (groups[module]?.groups ?? 0)),
    );
}

/** Lines of the model card. */
export function vocabularyFigures(cost: VocabularyCost): Record<string, string> {
  const { tokensBefore, tokensAfter, tokensPerWordBefore, tokensPerWordAfter } = cost;
  return {
    'tokens in the vocabulary': `${tokensAfter} (dense ${tokensBefore})`,
    'tokens per word of calibration text': `${tokensPerWordAfter.toFixed(3)} (dense ${tokensPerWordBefore.toFixed(3)})`,
  };
}
