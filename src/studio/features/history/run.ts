import { FileFormatError } from '../../../errors.ts';
import type { SpeedComparison } from '../../../evaluate/speed/speed.ts';
import type { Scores } from '../../../importance/sums/scores.ts';
import type { Plan } from '../../../plan/plan.ts';
import { parsePlan } from '../../../plan/plan-file.ts';
import type { PerplexityMeasurement } from '../../../worker/engine.ts';
import { isSpeedComparison } from '../compare/kept-speed.ts';
import type { PlanSummary } from '../plan/plan-outcome.ts';
import { recipeLabel } from '../plan/recipe-label.ts';
import type { GivenPlan, RecipeChoices } from '../plan/slice.ts';

/** Kept groups of one layer, of how many. */
export interface LayerWidth {
  readonly attention: number;
  readonly attentionGroups: number;
  readonly mlp: number;
  readonly neurons: number;
}

/** A recipe that was measured, with all that a reader compares: kept over reloads. */
export interface Run {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly model: { readonly name: string; readonly sha256: string };
  readonly recipe: RecipeChoices;
  readonly ratio: number;
  readonly parametersBefore: number;
  readonly parametersAfter: number;
  /** Bytes of the export in the recipe's dtype. */
  readonly bytes: number;
  readonly widths: readonly LayerWidth[];
  /** What it was measured on, for people; only runs that were measured alike are compared. */
  readonly measuredOn: string;
  readonly perplexity: PerplexityMeasurement;
  readonly dense?: PerplexityMeasurement;
  readonly speed?: SpeedComparison;
  /** Its groups, where they were not planned from the scores. */
  readonly given?: Pick<GivenPlan, 'plan' | 'from'>;
  /** That the pruned model was trained, how, and which step was kept. */
  readonly recovered?: { readonly method: string; readonly bestStep: number; readonly steps: number };
}

/** The run of a plan that was measured. */
export function makeRun(
  id: string,
  at: number,
  scores: Scores,
  plan: Plan,
  recipe: RecipeChoices,
  summary: PlanSummary,
  measured: Pick<Run, 'measuredOn' | 'perplexity' | 'dense' | 'speed' | 'given'>,
): Run {
  const { name, sha256 } = scores.model;
  const { ratio, parametersBefore, parametersAfter } = plan;
  return {
    id,
    at,
    model: { name, sha256 },
    recipe,
    ratio,
    parametersBefore,
    parametersAfter,
    bytes: summary.bytesAfter,
    widths: widthsOf(scores, plan),
    ...measured,
  };
}

/** How many groups of every layer a plan keeps. */
function widthsOf(scores: Scores, plan: Plan): LayerWidth[] {
  return scores.groups.map(({ attention, mlp }, layer) => ({
    attention: plan.layers[layer]?.attention.length ?? attention.groups,
    attentionGroups: attention.groups,
    mlp: plan.layers[layer]?.mlp.length ?? mlp.groups,
    neurons: mlp.groups,
  }));
}

/** A run in a few words, without its target: 'saap + bias, recovered with LoRA, step 36 of 40'. */
export function runLabel({ recipe, recovered, given }: Pick<Run, 'recipe' | 'recovered' | 'given'>): string {
  const label = `${recipeLabel(recipe)}${given ? `, groups of ${given.from}` : ''}`;
  if (!recovered) return label;
  return `${label}, recovered with ${recovered.method}, step ${recovered.bestStep} of ${recovered.steps}`;
}

/** What was kept as runs, as far as it can be shown: it may come from an older version of the page, which measured speed otherwise. */
export function keptRuns(values: unknown): Run[] {
  if (!Array.isArray(values)) return [];
  return values.filter(isRun).map(({ speed, given, ...run }) => ({
    ...run,
    ...(isSpeedComparison(speed) && { speed }),
    ...(given && keptGiven(given)),
  }));
}

/** The groups of a run, where they can be read. */
function keptGiven({ plan, from }: NonNullable<Run['given']>): Pick<Run, 'given'> {
  try {
    return { given: { plan: parsePlan(plan), from: String(from) } };
  } catch (error) {
    if (error instanceof FileFormatError) return {};
    throw error;
  }
}

/** Whether something is a run; of the speed only that it is looked at by `keptRuns`. */
function isRun(value: unknown): value is Run {
  if (typeof value !== 'object' || value === null) return false;
  const { id, at, model, recipe, widths, perplexity, measuredOn, ...numbers } = value as Record<string, unknown>;
  const isRecord = (field: unknown) => typeof field === 'object' && field !== null;
  const texts = typeof id === 'string' && typeof measuredOn === 'string';
  const counts = ['ratio', 'parametersBefore', 'parametersAfter', 'bytes'].every((key) =>
    Number.isFinite(numbers[key]),
  );
  return (
    texts &&
    Number.isFinite(at) &&
    counts &&
    isRecord(model) &&
    isRecord(recipe) &&
    isRecord(perplexity) &&
    Array.isArray(widths)
  );
}
