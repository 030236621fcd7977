import { UsageError } from '../errors.ts';
import { type GroupTable, groupTable } from '../importance/structures/group-table.ts';
import type { Scores } from '../importance/sums/scores.ts';
import type { FurtherMetrics } from './metric.ts';
import { checkFields, DEFAULT_RECIPE, type Recipe, shown } from './recipe.ts';
import type { Search } from './search/search.ts';
import { findSearch } from './search/searches.ts';
import type { StorageCost } from './search/storage.ts';

/** What the planner is asked for: a recipe without what the score file knows. Everything but the target has a default. */
export interface PlanOptions extends Partial<Omit<Recipe, 'model' | 'calibration' | 'target'>> {
  /** What the plan is to reach. */
  readonly target: Recipe['target'];
  /** How an export stores parameters, for targets in bytes; by default that of `dtype`. */
  readonly storage?: StorageCost;
  /** Metrics beside those of the scores, by name, which the metric of the recipe may use: importance of every group [groups] in the order of `groupTable`. */
  readonly furtherMetrics?: FurtherMetrics;
}

/** The recipe with its defaults filled in, its search, and the groups that it is about. Throws UsageError naming the option and its domain. */
export function readOptions(
  scores: Scores,
  options: PlanOptions,
): { recipe: Recipe; search: Search; table: GroupTable } {
  const { storage: _, furtherMetrics: _metrics, ...asked } = options;
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
  const { target: _target, ...chosen } = asked;
  checkFields(chosen, (path, value, expected) => {
    throw new UsageError(`${path} is ${shown(value)}; it must be ${expected}.`);
  });
  if (recipe.balance && !search.balanced)
    throw new UsageError(`The search "${search.name}" takes no balance; tempered, global, relative and stability do.`);
  return { recipe, search, table };
}

function definedOnly<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
