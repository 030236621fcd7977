import { groupCount, segmentOfGroups } from '../../importance/structures/group-table.ts';
import { ascendingOrder } from './order.ts';
import type { Search, SearchContext } from './search.ts';

/** A layer's kept share lies between these multiples of the mean share (and never above 1). */
const BOUNDS = { low: 0.5, high: 1.5 };

/**
 * Layer budgets: the share of a layer's parameters that stays is proportional to its mean score per parameter, bounded, with the total as asked; then a local
 * ranking by score per parameter within each layer. As one ranking: a group's priority is the share of its layer's removal budget that is used up when it goes.
 */
export const BUDGET: Search = { name: 'budget', unit: 'group', rank: budgetPriorities };

function budgetPriorities({ table, importance, ratio, protectedLayers }: SearchContext): Float64Array {
  const perParameter = new Float64Array(table.length);
  const parameters = new Float64Array(table.layers);
  const totals = new Float64Array(table.layers);
  for (const segment of table.segments) {
    const { layer, start, end, parametersPerGroup } = segment;
    parameters[layer] = (parameters[layer] as number) + groupCount(segment) * parametersPerGroup;
    for (let i = start; i < end; i++) {
      totals[layer] = (totals[layer] as number) + (importance[i] as number);
      perParameter[i] = (importance[i] as number) / parametersPerGroup;
    }
  }
  const layers = [...parameters.keys()].filter(
    (layer) => !protectedLayers.has(layer) && (parameters[layer] as number) > 0,
  );
  const kept = keptShares(
    layers.map((layer) => parameters[layer] as number),
    layers.map((layer) => (totals[layer] as number) / (parameters[layer] as number)),
    ratio * table.parameters,
  );
  const removal = new Float64Array(table.layers);
  for (const [index, layer] of layers.entries())
    removal[layer] = (1 - (kept[index] as number)) * (parameters[layer] as number);

  const owner = segmentOfGroups(table);
  const used = new Float64Array(table.layers);
  const priorities = new Float64Array(table.length);
  for (const index of ascendingOrder(perParameter)) {
    const segment = table.segments[owner[index] as number];
    if (!segment) continue;
    const before = used[segment.layer] as number;
    used[segment.layer] = before + segment.parametersPerGroup;
    // A layer with no budget, or less than one parameter, comes last and in its own order.
    const budget = Math.max(removal[segment.layer] as number, 1);
    priorities[index] = (before + segment.parametersPerGroup / 2) / budget;
  }
  return priorities;
}

/**
 * Kept shares proportional to `means`, between the bounds, whose removal adds up to `removed`: the factor is found by bisection, since the kept total grows with it.
 * All means 0: equal shares.
 */
export function keptShares(
  parameters: readonly number[],
  means: readonly number[],
  removed: number,
): readonly number[] {
  const total = parameters.reduce((sum, value) => sum + value, 0);
  const mean = Math.max(0, 1 - removed / total);
  const low = BOUNDS.low * mean;
  const high = Math.min(1, BOUNDS.high * mean);
  const largest = Math.max(...means);
  const smallest = Math.min(...means);
  if (!(largest > 0)) return parameters.map(() => mean);
  const share = (value: number, factor: number) => Math.min(high, Math.max(low, value * factor));
  let from = 0;
  let to = high / (smallest > 0 ? smallest : largest * 1e-12);
  for (let step = 0; step < 200; step++) {
    const factor = (from + to) / 2;
    const kept = parameters.reduce((sum, size, i) => sum + size * share(means[i] as number, factor), 0);
    if (kept < mean * total) from = factor;
    else to = factor;
  }
  return means.map((value) => share(value, to));
}
