import { groupCount, segmentOfGroups } from '../../importance/structures/group-table.ts';
import type { Module } from '../../importance/structures/structures.ts';
import { ascendingOrder } from './order.ts';
import type { Search, SearchContext } from './search.ts';

/** LLM-Pruner's published recipe for LLaMA-7B keeps layers 0 to 3 and 30 to 31 of 32. */
const PUBLISHED = { layers: 32, first: 4, last: 2 };

/** The layers that LLM-Pruner keeps, its counts scaled to the model: 0 to 2 and 28 to 29 of 30; none of a model too shallow for a share of one layer. */
export function llmPrunerProtection(layers: number): readonly number[] {
  const first = Math.floor((PUBLISHED.first * layers) / PUBLISHED.layers);
  const last = Math.round((PUBLISHED.last * layers) / PUBLISHED.layers);
  return Array.from({ length: layers }, (_, layer) => layer).filter((layer) => layer < first || layer >= layers - last);
}

/** The same share of every layer and module, LLM-Pruner's first and last layers kept. Where layers tie, the lowest score goes first, so attention loses its share in all. */
export const UNIFORM: Search = {
  name: 'uniform',
  unit: 'group',
  protects: llmPrunerProtection,
  rank: (context) => shares(context, false),
};

/** `uniform` with the share rounded layer by layer: with 3 attention groups a layer, a share of 0.24 takes one from each. */
export const UNIFORM_BY_LAYER: Search = {
  name: 'uniform-by-layer',
  unit: 'group',
  protects: llmPrunerProtection,
  rank: (context) => shares(context, true),
};

/** The same share of every layer and module, no layer kept (Wanda-sp). */
export const UNIFORM_ALL: Search = { name: 'uniform-all', unit: 'group', rank: (context) => shares(context, false) };

/**
 * A priority that is the share of its layer and module gone when the group goes: (k + 1/2) / groups for the k-th lowest there. Removing in this order
 * keeps all shares equal at every length. Whole groups cannot express every share: among the L layers with the same k, unless `rounded`, the p-th lowest score
 * has (k + (p + 1/2) / L) / groups, so that the share holds over the model.
 */
function shares({ table, importance, protectedLayers }: SearchContext, rounded: boolean): Float64Array {
  const priorities = new Float64Array(table.length);
  const owner = segmentOfGroups(table);
  const taken = new Uint32Array(table.segments.length);
  // How many unprotected layers have a k-th group, and how many of those were met.
  const perModule = (): Record<Module, number[]> => ({ attention: [], convolution: [], mlp: [] });
  const layersAt = perModule();
  const metAt = perModule();
  for (const segment of table.segments) {
    if (protectedLayers.has(segment.layer)) continue;
    const counts = layersAt[segment.module];
    for (let k = 0; k < groupCount(segment); k++) counts[k] = (counts[k] ?? 0) + 1;
  }
  for (const index of ascendingOrder(importance)) {
    const segmentIndex = owner[index] as number;
    const segment = table.segments[segmentIndex];
    if (!segment || protectedLayers.has(segment.layer)) continue;
    const k = taken[segmentIndex] as number;
    taken[segmentIndex] = k + 1;
    const place = metAt[segment.module][k] ?? 0;
    metAt[segment.module][k] = place + 1;
    const within = rounded ? 0.5 : (place + 0.5) / (layersAt[segment.module][k] ?? 1);
    priorities[index] = (k + within) / groupCount(segment);
  }
  return priorities;
}
