import { countParameters } from '../architecture/model.ts';
import { MismatchError } from '../errors.ts';
import type { Scores } from '../importance/sums/scores.ts';
import { makePlan } from '../plan/make-plan.ts';
import type { Plan } from '../plan/plan.ts';
import { decodePlanFor } from '../plan/plan-file.ts';
import type { PlanOptions } from '../plan/plan-options.ts';
import type { OpenModel } from './open-model.ts';
import { exactStorage } from './storage.ts';

export { DEFAULT_EVALUATIONS } from '../plan/measured.ts';
export { checkPlanFits, encodePlan } from '../plan/plan-file.ts';
export { reached, reachedSentence } from '../plan/reached.ts';
export { DEFAULT_ROUND_TO, RECIPE_ENTRIES } from '../plan/recipe.ts';

/** Which groups stay, from scores alone: `makePlan`. */
export const plan: (scores: Scores, options: PlanOptions) => Plan = makePlan;

/**
 * Which groups stay of an open model: its export stays within a target in bytes or memory to the byte, while scores alone estimate the layout of an export.
 * Throws what `plan` throws, and MismatchError for scores of another model.
 */
export function planFor(open: OpenModel, scores: Scores, options: PlanOptions): Plan {
  checkScoresFit(open, scores);
  return makePlan(scores, exactOptions(open, scores, options));
}

/** A plan file read for an open model: `format` and `layers` are enough. Throws what `decodePlanFor` throws. */
export function readPlan(bytes: Uint8Array, open: OpenModel, file?: string): Plan {
  return decodePlanFor(bytes, { parameters: countParameters(open.model).parameters, groups: open.layerGroups() }, file);
}

/** The options with what the model's exports cost, for targets in bytes and memory. */
export function exactOptions(open: OpenModel, scores: Scores, options: PlanOptions): PlanOptions {
  return { ...options, storage: options.storage ?? exactStorage(open, scores, options) };
}

/** Throws MismatchError for scores of other groups than the model has. */
export function checkScoresFit(open: OpenModel, scores: Scores): void {
  if (JSON.stringify(scores.groups) !== JSON.stringify(open.layerGroups())) {
    throw new MismatchError(
      `The scores of ${scores.model.name} are for other groups than ${open.model.checkpoint.provenance.name} has; score it first.`,
    );
  }
}
