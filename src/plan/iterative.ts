import { MismatchError, throwIfCancelled, UsageError } from '../errors.ts';
import { groupTable } from '../importance/structures/group-table.ts';
import type { Module } from '../importance/structures/structures.ts';
import type { Scores } from '../importance/sums/scores.ts';
import { defaultMinimumNeurons, makePlan } from './make-plan.ts';
import { type LayerPlan, type Plan, removedBeside, type Target } from './plan.ts';
import { keptParameters } from './plan-file.ts';
import type { PlanOptions } from './plan-options.ts';
import { storageFor } from './search/storage.ts';
import { wholeSize } from './search/target.ts';
import { withVocabulary } from './search/vocabulary.ts';

export interface IterativeOptions {
  /** Parts that are removed one after the other, at least 1. */
  readonly passes: number;
  /** Target and constraints, as for `makePlan`. */
  readonly plan: PlanOptions;
  /** Scores of the model with only these groups of the dense one; undefined asks for the dense model's. */
  readonly scoresOf: (layers: readonly LayerPlan[] | undefined, pass: number) => Promise<Scores>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Iterative pruning (docs/method.md section 6, "several passes"): scores the model, removes a part, scores what is left, and so on, each part of the same size, until the
 * target is met. From a ratio of 0.3 on it is worth its cost. Unless gamma is given, `tempered` runs with gamma 0: scoring anew already prevents what tempering is for.
 * The plan's indices are the dense model's groups. Throws what `makePlan` throws, and CancelledError between passes.
 */
export async function iterativePlan({ passes, plan: asked, scoresOf, signal }: IterativeOptions): Promise<Plan> {
  if (!Number.isSafeInteger(passes) || passes < 1)
    throw new UsageError(`passes is ${passes}; it must be a whole number, 1 or more.`);
  const dense = await scoresOf(undefined, 0);
  if (passes === 1) return makePlan(dense, asked);
  if (asked.vocabulary !== undefined && asked.target.kind !== 'ratio')
    throw new UsageError(
      `A smaller vocabulary and a target in ${asked.target.kind} are planned for in one pass. Leave out --passes, or give a ratio.`,
    );
  // What the dense model's planner would take for granted must not change while the model shrinks.
  const neurons = Math.max(...dense.groups.map(({ mlp }) => mlp.groups));
  const options: PlanOptions = {
    ...asked,
    gamma: asked.gamma ?? 0,
    minimumNeurons: asked.minimumNeurons ?? defaultMinimumNeurons(neurons),
  };
  const first = makePlan(dense, options);
  let kept: readonly LayerPlan[] | undefined;
  let last: Plan = first;
  for (let pass = 0; pass < passes; pass++) {
    throwIfCancelled(signal);
    const scores = kept ? await scoresOf(kept, pass) : dense;
    last = makePlan(scores, { ...options, target: partialTarget(dense, scores, options, (pass + 1) / passes) });
    kept = kept ? composePlans(kept, last.layers) : last.layers;
  }
  const layers = kept ?? first.layers;
  const whole = groupTable(dense.groups).parameters;
  const removed = whole - keptParameters(layers, dense.groups);
  return {
    format: 'espalier-plan/1',
    recipe: { ...first.recipe, passes },
    ratio: removed / whole,
    parametersBefore: dense.model.parameters,
    parametersAfter:
      withVocabulary(dense.model, asked.vocabulary, whole).parameters - removed - removedBeside(layers, dense.groups),
    layers,
  };
}

/** A plan for a pruned model, in the indices of the model that it was pruned from. Throws MismatchError for a group that is not there. */
export function composePlans(first: readonly LayerPlan[], second: readonly LayerPlan[]): LayerPlan[] {
  if (first.length !== second.length)
    throw new MismatchError(
      `The plans are for ${first.length} and ${second.length} layers; they must be of one model.`,
    );
  return first.map((layer, index) => {
    const map = (kind: Module) =>
      (second[index]?.[kind] ?? []).map((place) => {
        const group = layer[kind]?.[place];
        if (group === undefined)
          throw new MismatchError(
            `The second plan keeps ${kind} group ${place} of layer ${index}, which has ${layer[kind]?.length ?? 0} left.`,
          );
        return group;
      });
    return {
      attention: map('attention'),
      ...(layer.convolution && { convolution: map('convolution') }),
      mlp: map('mlp'),
    };
  });
}

/** The target, for the model that `present` scores, that is met when this share of the way from the dense model is gone. */
function partialTarget(dense: Scores, present: Scores, options: PlanOptions, share: number): Target {
  const { target } = options;
  const table = groupTable(dense.groups);
  if (target.kind === 'ratio') {
    const goal = target.value * table.parameters * share;
    const left = groupTable(present.groups).parameters;
    return { kind: 'ratio', value: Math.max(0, goal - (table.parameters - left)) / left };
  }
  const whole = wholeSize(
    target,
    table,
    dense.model,
    options.storage ?? storageFor(options.dtype ?? 'f32', dense.model, table),
  );
  return { ...target, value: whole + (target.value - whole) * share };
}
