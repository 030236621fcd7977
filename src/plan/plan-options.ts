import { UsageError } from '../errors.ts';
import { type GroupTable, groupTable } from '../importance/structures/group-table.ts';
import type { Scores } from '../importance/sums/scores.ts';
import type { Recipe } from './plan.ts';
import type { Search } from './search/search.ts';
import { findSearch } from './search/searches.ts';
import type { StorageCost } from './search/storage.ts';

/** What the planner is asked for: a recipe without what the score file knows. Everything but the target has a default. */
export interface PlanOptions extends Partial<Omit<Recipe, 'model' | 'calibration' | 'target'>> {
  readonly target: Recipe['target'];
  /** How an export stores parameters, for targets in bytes; by default that of `dtype`. */
  readonly storage?: StorageCost;
}

/** The default recipe: what docs/method.md section 6 found best. */
export const DEFAULT_RECIPE = {
  metric: 'element-second+fisher',
  fusion: 'shared',
  fusionScope: 'model',
  search: 'tempered',
} as const;

/**
 * What people who prune get unless they ask otherwise, in the command line and in the page: widths for which f32 kernels on WebGPU move four elements at a time
 * (`npm run bench -- widths`: 1.4 times as fast). The target is then met to within four neurons instead of one; methods are compared without it, at equal size.
 */
export const DEFAULT_ROUND_TO = 4;

/** The recipe with its defaults filled in, its search, and the groups that it is about. Throws UsageError naming the option and its domain. */
export function readOptions(
  scores: Scores,
  options: PlanOptions,
): { recipe: Recipe; search: Search; table: GroupTable } {
  const { storage: _, ...asked } = options;
  const search = findSearch(asked.search ?? DEFAULT_RECIPE.search);
  const { name, revision, sha256 } = scores.model;
  const { source, sha256: calibrationHash, windows, length, seed } = scores.calibration;
  const recipe: Recipe = {
    model: { name, ...(revision === undefined ? {} : { revision }), sha256 },
    calibration: { source, sha256: calibrationHash, windows, length, seed },
    ...DEFAULT_RECIPE,
    seed: 0,
    ...definedOnly(asked),
  };
  const table = groupTable(scores.groups);
  if (table.length === 0) throw new UsageError('The scores have no groups, so there is nothing to plan.');
  for (const layer of recipe.protect ?? []) {
    if (!Number.isInteger(layer) || layer < 0 || layer >= table.layers)
      throw new UsageError(`Layer ${layer} cannot be protected: the model has layers 0 to ${table.layers - 1}.`);
  }
  checkWhole('minimumAttentionGroups', recipe.minimumAttentionGroups, 1);
  checkWhole('minimumNeurons', recipe.minimumNeurons, 1);
  checkWhole('roundTo', recipe.roundTo, 1);
  checkWhole('seed', recipe.seed, 0);
  for (const [key, value] of Object.entries({
    gamma: recipe.gamma,
    stability: recipe.stability,
    'balance.depth': recipe.balance?.depth,
  })) {
    if (value !== undefined && !Number.isFinite(value))
      throw new UsageError(`${key} is ${value}; it must be a finite number.`);
  }
  const attention = recipe.balance?.attention;
  if (attention !== undefined && !(attention > 0 && attention < Number.POSITIVE_INFINITY))
    throw new UsageError(`balance.attention is ${attention}; it must be above 0.`);
  if (recipe.balance && !search.balanced)
    throw new UsageError(`The search "${search.name}" takes no balance; tempered, global, relative and stability do.`);
  return { recipe, search, table };
}

function definedOnly<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

function checkWhole(name: string, value: number | undefined, least: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= least)) return;
  throw new UsageError(`${name} is ${value}; it must be a whole number, ${least} or more.`);
}
