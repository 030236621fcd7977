import { UsageError } from '../errors.ts';
import { type GroupTable, groupCount, type Segment } from '../importance/structures/group-table.ts';
import type { Scores } from '../importance/sums/scores.ts';
import { fusedImportance, metricScores } from './metric.ts';
import type { Plan, Recipe } from './plan.ts';
import { type PlanOptions, readOptions } from './plan-options.ts';
import { ascendingOrder } from './search/order.ts';
import { removeToPlainShape } from './search/plain-shape.ts';
import { type RemovalLimits, removableCost, removalStep, removeBlocks, removeInOrder } from './search/remove.ts';
import { roundWidths } from './search/round-widths.ts';
import type { Search, SearchContext } from './search/search.ts';
import { storageFor } from './search/storage.ts';
import { type Removal, removalFor } from './search/target.ts';

/** Neurons that stay in every layer by default: 64 of 1,536, and at least 8. */
export function defaultMinimumNeurons(neurons: number): number {
  return Math.max(8, Math.ceil(neurons / 24));
}

/**
 * Which groups stay: fuses the scores, ranks the groups and removes them until the target is met (docs/method.md sections 3 and 4). Pure and deterministic.
 * The reached target differs from the asked one by less than one group (by less than `roundTo` neurons where widths are rounded, by half a block where blocks go).
 * Throws UsageError for options outside their domain and for a target out of reach, MissingError for a metric that the scores lack, MismatchError for damaged scores.
 */
export function makePlan(scores: Scores, options: PlanOptions): Plan {
  const { recipe, search, table } = readOptions(scores, options);
  const protectedLayers = new Set([...(recipe.protect ?? []), ...(search.protects?.(table.layers) ?? [])]);
  const removal = removalFor(
    recipe.target,
    table,
    scores.model,
    options.storage ?? storageFor(recipe.dtype ?? 'f32', scores.model, table),
  );
  const minimums = table.segments.map((segment) => minimumGroups(segment, recipe, protectedLayers));
  const limits: RemovalLimits = { costs: removal.costs, minimums };
  const blocks = blockCosts(table, removal.costs);

  const context: SearchContext = {
    table,
    importance: importanceOf(scores, table, recipe, search),
    ratio: removal.amount / sum(blocks),
    protectedLayers,
    gamma: recipe.gamma,
    balance: { attention: recipe.balance?.attention ?? 1, depth: recipe.balance?.depth ?? 0 },
  };
  const order = ascendingOrder(search.rank(context));
  if (search.unit === 'block') {
    checkReach(removal, reachableBlocks(blocks, protectedLayers), Math.max(...blocks), sum(blocks), 'one block');
    return blockPlan(scores, recipe, table, removeBlocks(order, blocks, protectedLayers, removal.amount));
  }
  if (recipe.shape !== undefined && recipe.shape !== 'free') {
    const plain = removeToPlainShape(table, order, {
      shape: recipe.shape,
      costs: removal.costs,
      amount: removal.amount,
      isBound: recipe.target.kind !== 'ratio',
      multiple: recipe.roundTo ?? 1,
      minimum: recipe.minimumNeurons ?? defaultMinimumNeurons(Math.max(...table.segments.map(groupCount))),
      protectedLayers: new Set(recipe.protect),
    });
    return groupPlan(scores, recipe, table, plain);
  }
  checkReach(
    removal,
    removableCost(table, limits),
    removalStep(table, removal.costs),
    sum(blocks),
    'the minimum groups of every layer',
  );
  const gone = removeInOrder(table, order, limits, removal.amount);
  if (recipe.roundTo !== undefined && recipe.roundTo > 1) roundWidths(table, order, gone, recipe.roundTo, minimums);
  return groupPlan(scores, recipe, table, gone);
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
function importanceOf(scores: Scores, table: GroupTable, recipe: Recipe, search: Search): Float64Array {
  const { metric, fusion = 'shared', fusionScope: scope = 'model', seed } = recipe;
  const importance = fusedImportance(scores, table, { metric, fusion, scope, seed });
  const exponent = recipe.stability ?? search.stability ?? 0;
  if (exponent === 0) return importance;
  const stability = metricScores(scores, table, 'stability', seed);
  return importance.map((value, i) => value * (1 + (stability[i] as number)) ** exponent);
}

function minimumGroups(segment: Segment, recipe: Recipe, protectedLayers: ReadonlySet<number>): number {
  const count = groupCount(segment);
  if (protectedLayers.has(segment.layer)) return count;
  const wanted =
    segment.module === 'attention'
      ? (recipe.minimumAttentionGroups ?? 1)
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
  const layers: { attention: readonly number[]; mlp: readonly number[] }[] = scores.groups.map(() => ({
    attention: [],
    mlp: [],
  }));
  for (const { layer, module, start, end, parametersPerGroup } of table.segments) {
    const kept: number[] = [];
    for (let i = start; i < end; i++) if (gone[i] === 0) kept.push(i - start);
    removed += (end - start - kept.length) * parametersPerGroup;
    (layers[layer] as { attention: readonly number[]; mlp: readonly number[] })[module] = kept;
  }
  const before = scores.model.parameters;
  return {
    format: 'espalier-plan/1',
    recipe,
    ratio: removed / table.parameters,
    parametersBefore: before,
    parametersAfter: before - removed,
    layers,
  };
}
