import { UsageError } from '../errors.ts';
import { type GroupTable, groupCount, type Segment } from '../importance/structures/group-table.ts';
import type { Module } from '../importance/structures/structures.ts';
import type { Scores } from '../importance/sums/scores.ts';
import { type FurtherMetrics, fusedImportance, metricScores } from './metric.ts';
import { type Plan, type Recipe, removedBeside } from './plan.ts';
import { type PlanOptions, readOptions } from './plan-options.ts';
import { ascendingOrder } from './search/order.ts';
import { removeToPlainShape } from './search/plain-shape.ts';
import { type RemovalLimits, removableCost, removalStep, removeBlocks, removeInOrder } from './search/remove.ts';
import { roundWidths } from './search/round-widths.ts';
import type { Search, SearchContext } from './search/search.ts';
import { type StorageCost, storageFor } from './search/storage.ts';
import { type Removal, removalFor, wholeSize } from './search/target.ts';
import { withVocabulary } from './search/vocabulary.ts';
import { byExpert } from './whole-experts.ts';

/** Neurons that stay in every layer by default: 64 of 1,536, and at least 8. */
export function defaultMinimumNeurons(neurons: number): number {
  return Math.max(8, Math.ceil(neurons / 24));
}

/**
 * Which groups stay: fuses the scores, ranks the groups and removes them until the target is met (docs/method.md sections 3 and 4). Pure and deterministic.
 * A ratio is met to within half a group (half of `roundTo` neurons a layer where widths are rounded, half a block where blocks go); parameters, bytes and memory are
 * upper bounds, which the plan stays within by as little as that allows.
 * Throws UsageError for options outside their domain and for a target out of reach, MissingError for a metric that the scores lack, MismatchError for damaged scores.
 */
export function makePlan(scores: Scores, options: PlanOptions): Plan {
  if (options.experts !== 'whole') return planGroups(scores, options);
  if (options.furtherMetrics)
    throw new UsageError('Experts go as a whole by the metrics of a score file alone. Choose one of them, or neurons.');
  const coarse = byExpert(scores);
  return coarse.neurons(planGroups(coarse.scores, options));
}

function planGroups(scores: Scores, options: PlanOptions): Plan {
  const { recipe, search, table } = readOptions(scores, options);
  const protectedLayers = new Set([...(recipe.protect ?? []), ...(search.protects?.(table.layers) ?? [])]);
  const removal = removalBeside(scores, recipe, table, options.storage);
  const minimums = table.segments.map((segment) => minimumGroups(segment, recipe, protectedLayers));
  const limits: RemovalLimits = { costs: removal.costs, minimums };
  const blocks = blockCosts(table, removal.costs);

  const context: SearchContext = {
    table,
    importance: importanceOf(scores, table, recipe, search, options.furtherMetrics),
    ratio: removal.amount / sum(blocks),
    protectedLayers,
    gamma: recipe.gamma,
    balance: { attention: recipe.balance?.attention ?? 1, depth: recipe.balance?.depth ?? 0 },
  };
  const order = ascendingOrder(search.rank(context));
  const isBound = recipe.target.kind !== 'ratio';
  if (search.unit === 'block') {
    const reachable = reachableBlocks(blocks, protectedLayers);
    checkReach(removal, reachable, isBound ? 0 : Math.max(...blocks), sum(blocks), 'one block');
    const removed = (gone: ReadonlySet<number>) => sum([...gone].map((layer) => blocks[layer] as number));
    const remove = (amount: number) => removeBlocks(order, blocks, protectedLayers, amount);
    const step = Math.min(...blocks.filter((cost) => cost > 0)) / 2;
    return blockPlan(
      scores,
      recipe,
      table,
      isBound ? removeEnough(removal, remove, removed, step) : remove(removal.amount),
    );
  }
  if (recipe.shape !== undefined && recipe.shape !== 'free') {
    const plain = removeToPlainShape(table, order, {
      shape: recipe.shape,
      costs: removal.costs,
      amount: removal.amount,
      isBound,
      multiple: recipe.roundTo ?? 1,
      minimum: recipe.minimumNeurons ?? defaultMinimumNeurons(Math.max(...table.segments.map(groupCount))),
      protectedLayers: new Set(recipe.protect),
    });
    return groupPlan(scores, recipe, table, plain);
  }
  const step = removalStep(table, removal.costs);
  const reachable = removableCost(table, limits);
  checkReach(removal, reachable, isBound ? 0 : step, sum(blocks), 'the minimum groups of every layer');
  const remove = (amount: number) => {
    const gone = removeInOrder(table, order, limits, amount);
    if (recipe.roundTo !== undefined && recipe.roundTo > 1) roundWidths(table, order, gone, recipe.roundTo, minimums);
    return gone;
  };
  if (!isBound) return groupPlan(scores, recipe, table, remove(removal.amount));
  const removed = (gone: Uint8Array) => costOf(table, gone, removal.costs);
  return groupPlan(scores, recipe, table, removeEnough(removal, remove, removed, step / 2));
}

/** What groups have to give: the vocabulary that the recipe keeps may have given a part of what the target asks for, or all. */
function removalBeside(scores: Scores, recipe: Recipe, table: GroupTable, storage: StorageCost | undefined): Removal {
  const { target, vocabulary, dtype = 'f32' } = recipe;
  const costOf = (model: Scores['model']) => storage ?? storageFor(dtype, model, table);
  if (vocabulary === undefined) return removalFor(target, table, scores.model, costOf(scores.model));
  const model = withVocabulary(scores.model, vocabulary, table.parameters);
  const size = wholeSize(target, table, model, costOf(model));
  const isMet = target.kind !== 'ratio' && target.value > size;
  // Refused as without a vocabulary where the whole model is within the target.
  if (isMet) removalFor(target, table, scores.model, costOf(scores.model));
  return removalFor(isMet ? { ...target, value: size } : target, table, model, costOf(model));
}

/** Sums of costs that are equal but for rounding count as equal. */
const ROUNDING = 1e-9;

/** Asks for more, a little at a time, until no less goes than is needed. Throws UsageError where that is never so, with the nearest that can be had. */
function removeEnough<Gone>(
  { amount, unit }: Removal,
  remove: (amount: number) => Gone,
  removed: (gone: Gone) => number,
  step: number,
): Gone {
  let most = 0;
  let gone = remove(amount);
  // What is removed follows what is asked for by a few steps at most, so that it stands still for long only at the end.
  for (let asked = amount, still = 0; removed(gone) < amount * (1 - ROUNDING); gone = remove(asked)) {
    still = removed(gone) > most ? 0 : still + 1;
    most = Math.max(most, removed(gone));
    if (still > MOST_STILL)
      throw new UsageError(
        `The target needs ${Math.round(amount)} ${unit} removed; the nearest that widths in these steps allow is ${Math.round(most)}. Ask for less, or for smaller steps (roundTo).`,
      );
    asked += Math.max(amount - removed(gone), step * 2 ** Math.min(still, 16));
  }
  return gone;
}

const MOST_STILL = 40;

function costOf(table: GroupTable, gone: Uint8Array, costs: readonly number[]): number {
  return table.segments.reduce((total, { start, end }, index) => {
    let count = 0;
    for (let i = start; i < end; i++) count += gone[i] as number;
    return total + count * (costs[index] as number);
  }, 0);
}

/** What whole blocks can go: the unprotected ones, but one of all. */
function reachableBlocks(blocks: readonly number[], protectedLayers: ReadonlySet<number>): number {
  const open = blocks.filter((_, layer) => !protectedLayers.has(layer));
  return sum(open) - (open.length === blocks.length ? Math.min(...blocks) : 0);
}

/** Throws UsageError where less can go than is asked for, by more than half a step. */
function checkReach({ amount, unit }: Removal, reachable: number, step: number, total: number, kept: string): void {
  if (reachable >= amount - step / 2) return;
  const share = (part: number) =>
    `${Math.round(part)} ${unit} (${((100 * part) / total).toFixed(1)}% of the attention and MLP weights)`;
  throw new UsageError(
    `The target needs ${share(amount)} removed, but only ${share(Math.max(0, reachable))} can go: protected layers and ${kept} stay. ` +
      'Ask for less, protect fewer layers or lower the minimums.',
  );
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Fused importance [groups], times (1 + stability) to the recipe's or the search's exponent. */
function importanceOf(
  scores: Scores,
  table: GroupTable,
  recipe: Recipe,
  search: Search,
  further: FurtherMetrics | undefined,
): Float64Array {
  const { metric, fusion = 'shared', fusionScope: scope = 'model', seed } = recipe;
  const importance = fusedImportance(scores, table, { metric, fusion, scope, seed, further });
  const exponent = recipe.stability ?? search.stability ?? 0;
  if (exponent === 0) return importance;
  const stability = metricScores(scores, table, 'stability', seed);
  return importance.map((value, i) => value * (1 + (stability[i] as number)) ** exponent);
}

function minimumGroups(segment: Segment, recipe: Recipe, protectedLayers: ReadonlySet<number>): number {
  const count = groupCount(segment);
  if (protectedLayers.has(segment.layer)) return count;
  if (segment.minimum !== undefined) return Math.min(count, segment.minimum);
  const wanted =
    segment.module === 'attention'
      ? (recipe.minimumAttentionGroups ?? 1)
      : segment.module === 'convolution'
        ? defaultMinimumNeurons(count)
        : (recipe.minimumNeurons ?? defaultMinimumNeurons(count));
  const multiple = segment.module === 'mlp' ? (recipe.roundTo ?? 1) : 1;
  return Math.min(count, Math.ceil(wanted / multiple) * multiple);
}

function blockCosts(table: GroupTable, costs: readonly number[]): readonly number[] {
  const blocks = new Array<number>(table.layers).fill(0);
  for (const [index, segment] of table.segments.entries())
    blocks[segment.layer] = (blocks[segment.layer] as number) + groupCount(segment) * (costs[index] as number);
  return blocks;
}

function blockPlan(scores: Scores, recipe: Recipe, table: GroupTable, gone: ReadonlySet<number>): Plan {
  const flags = new Uint8Array(table.length);
  for (const { layer, start, end } of table.segments) if (gone.has(layer)) flags.fill(1, start, end);
  return groupPlan(scores, recipe, table, flags);
}

function groupPlan(scores: Scores, recipe: Recipe, table: GroupTable, gone: Uint8Array): Plan {
  let removed = 0;
  const layers: { -readonly [module in Module]?: readonly number[] }[] = scores.groups.map(() => ({}));
  for (const { layer, module, start, end, parametersPerGroup } of table.segments) {
    const kept: number[] = [];
    for (let i = start; i < end; i++) if (gone[i] === 0) kept.push(i - start);
    removed += (end - start - kept.length) * parametersPerGroup;
    const plan = layers[layer];
    if (plan) plan[module] = kept;
  }
  const before = scores.model.parameters;
  const plans = layers.map(({ attention = [], convolution, mlp = [] }) => ({
    attention,
    ...(convolution && { convolution }),
    mlp,
  }));
  return {
    format: 'espalier-plan/1',
    recipe,
    ratio: removed / table.parameters,
    parametersBefore: before,
    parametersAfter:
      withVocabulary(scores.model, recipe.vocabulary, table.parameters).parameters -
      removed -
      removedBeside(plans, scores.groups),
    layers: plans,
  };
}
