import { meanOver } from '../fusion.ts';
import type { Search, SearchContext } from './search.ts';

/** Importance lost per parameter removed (the knapsack view), one ranking over all layers and modules. */
export const GLOBAL: Search = { name: 'global', unit: 'group', balanced: true, rank: (context) => temper(context, 0) };

/** The score divided by the mean of its layer and module. */
export const RELATIVE: Search = {
  name: 'relative',
  unit: 'group',
  balanced: true,
  rank: (context) => temper(context, 1),
};

/** Between the two (ours, the default): `global` at a small ratio, where its order is best, and less so at larger ones, where it would empty single layers. */
export const TEMPERED: Search = {
  name: 'tempered',
  unit: 'group',
  balanced: true,
  rank: (context) => temper(context, context.gamma ?? context.ratio),
};

/** `tempered` on the score divided by (1 + stability), the paper's direction, unless the recipe gives another exponent. */
export const STABILITY: Search = { ...TEMPERED, name: 'stability', stability: -1 };

/**
 * Priorities of docs/method.md section 4, `tempered`: the score per parameter, divided by the mean of its layer and module to the power gamma.
 * `balance.attention` multiplies the attention groups; `balance.depth` multiplies a layer by exp(depth * x), x from -1 (first layer) to 1 (last).
 */
function temper({ table, importance, balance }: SearchContext, gamma: number): Float64Array {
  const priorities = new Float64Array(table.length);
  for (const segment of table.segments) {
    const { layer, module, start, end, parametersPerGroup } = segment;
    const mean = meanOver(importance, [segment]) / parametersPerGroup;
    const place = table.layers > 1 ? (2 * layer) / (table.layers - 1) - 1 : 0;
    const weight = (module === 'attention' ? balance.attention : 1) * Math.exp(balance.depth * place);
    const factor = mean > 0 ? weight / (parametersPerGroup * mean ** gamma) : 0;
    for (let i = start; i < end; i++) priorities[i] = (importance[i] as number) * factor;
  }
  return priorities;
}
