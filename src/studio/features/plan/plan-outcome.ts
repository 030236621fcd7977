import { EspalierError } from '../../../errors.ts';
import { groupTable } from '../../../importance/structures/group-table.ts';
import { groupParameters } from '../../../importance/structures/structures.ts';
import type { Scores } from '../../../importance/sums/scores.ts';
import { type MultiplyAccumulates, planMultiplyAccumulates } from '../../../library/multiply-accumulates.ts';
import { type KindShare, kindShares } from '../../../plan/kinds.ts';
import { makePlan } from '../../../plan/make-plan.ts';
import type { Plan } from '../../../plan/plan.ts';
import { checkPlanFits } from '../../../plan/plan-file.ts';
import { cacheBytes } from '../../../plan/reached.ts';
import { storageFor, weightBytes } from '../../../plan/search/storage.ts';
import { keptTokens, withVocabulary } from '../../../plan/search/vocabulary.ts';
import type { LayerShare } from '../../charts/layer-shares.tsx';
import type { Dtype } from '../take-away/source-dtype.ts';
import type { RecipeChoices } from './slice.ts';

/** A plan, or the sentence that says why there is none. */
export type PlanOutcome =
  | { readonly ok: true; readonly plan: Plan /** What planning took. */; readonly milliseconds: number }
  | { readonly ok: false; readonly message: string };

/** Plans on the spot, for an export in `dtype`: pure arithmetic, at most 16 ms for 30 layers of 1,536 neurons. */
export function planOutcome(scores: Scores, recipe: RecipeChoices, dtype: Dtype): PlanOutcome {
  const start = performance.now();
  try {
    const plan = makePlan(scores, { ...recipe, dtype });
    return { ok: true, plan, milliseconds: performance.now() - start };
  } catch (error) {
    if (error instanceof EspalierError) return { ok: false, message: error.message };
    throw error;
  }
}

/** Groups that were given, for an export in `dtype` with the repair that the recipe asks for, where they are groups of these scores' model. */
export function givenOutcome(scores: Scores, given: Plan, { compensate }: RecipeChoices, dtype: Dtype): PlanOutcome {
  try {
    checkPlanFits(given, scores.groups);
    // A target in bytes would be planned for again when the file is built.
    const target = { kind: 'ratio', value: given.ratio } as const;
    const recipe = { ...given.recipe, target, dtype, ...(compensate && { compensate }) };
    return { ok: true, plan: { ...given, recipe }, milliseconds: 0 };
  } catch (error) {
    if (error instanceof EspalierError) return { ok: false, message: error.message };
    throw error;
  }
}

const USUAL_CONTEXT = 2048;

/** What a plan removes, counted. */
export interface PlanSummary {
  readonly layers: readonly LayerShare[];
  /** What stays of each kind of group that the model has. */
  readonly kinds: readonly KindShare[];
  readonly attentionRemoved: number;
  readonly attentionGroups: number;
  readonly neuronsRemoved: number;
  readonly neurons: number;
  /** Of one token; undefined where the model's config does not tell. */
  readonly multiplyAccumulates: MultiplyAccumulates | undefined;
  /** Bytes of weights in the recipe's dtype. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** Tokens of the vocabulary, and how many of them stay at most; undefined where the model's config does not tell. */
  readonly tokens: number | undefined;
  readonly tokensKept: number | undefined;
  /** Tokens that a first target in memory asks a cache for: 2,048, or as many as the model takes. */
  readonly usualContext: number;
  /** Bytes of the key/value cache of so many tokens, before and after. */
  readonly cacheBefore: (context: number) => number;
  readonly cacheAfter: (context: number) => number;
}

/** Counts what goes per layer and over the model. */
export function planSummary(scores: Scores, plan: Plan): PlanSummary {
  const layers: LayerShare[] = [];
  let [attentionRemoved, attentionGroups, neuronsRemoved, neurons] = [0, 0, 0, 0];
  scores.groups.forEach((groups, layer) => {
    const { attention, convolution, mlp } = groups;
    const channels = convolution?.groups ?? 0;
    const channelsGone = channels - (plan.layers[layer]?.convolution?.length ?? channels);
    const heads = attention.groups - (plan.layers[layer]?.attention.length ?? attention.groups);
    const cut = mlp.groups - (plan.layers[layer]?.mlp.length ?? mlp.groups);
    const removed =
      heads * attention.parametersPerGroup +
      channelsGone * (convolution?.parametersPerGroup ?? 0) +
      cut * mlp.parametersPerGroup;
    layers.push({
      parameters: share(removed, groupParameters(groups)),
      // A layer convolves in place of attending.
      attention: share(heads + channelsGone, attention.groups + channels),
      mlp: share(cut, mlp.groups),
    });
    attentionRemoved += heads;
    attentionGroups += attention.groups;
    neuronsRemoved += cut;
    neurons += mlp.groups;
  });
  const { parameters } = groupTable(scores.groups);
  const { dtype = 'f32', vocabulary } = plan.recipe;
  const cost = storageFor(dtype, scores.model, { parameters });
  const other = plan.parametersBefore - parameters;
  return {
    kinds: kindShares(scores.groups, plan.layers),
    ...{ layers, attentionRemoved, attentionGroups, neuronsRemoved, neurons },
    multiplyAccumulates: planMultiplyAccumulates(scores, plan),
    bytesBefore: weightBytes({ block: parameters, other }, cost),
    bytesAfter: exportBytes(scores, plan, dtype),
    tokens: Number(scores.model.config.vocab_size) || undefined,
    tokensKept: keptTokens(vocabulary, Number(scores.model.config.vocab_size) || 0) || undefined,
    usualContext: Math.min(USUAL_CONTEXT, Number(scores.model.config.max_position_embeddings) || USUAL_CONTEXT),
    cacheBefore: (context) => cacheBytes(scores.model.config, attentionGroups, context, cost),
    cacheAfter: (context) => cacheBytes(scores.model.config, attentionGroups - attentionRemoved, context, cost),
  };
}

/** Of a block that an earlier pruning removed, nothing more can go. */
function share(removed: number, all: number): number {
  return all === 0 ? 0 : removed / all;
}

/** Bytes of weights of a plan's export in a number format. */
export function exportBytes(scores: Scores, plan: Plan, dtype: Dtype): number {
  const { parameters } = groupTable(scores.groups);
  const model = withVocabulary(scores.model, plan.recipe.vocabulary, parameters);
  const other = model.parameters - parameters;
  return weightBytes({ block: plan.parametersAfter - other, other }, storageFor(dtype, model, { parameters }));
}
