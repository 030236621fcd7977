import type { Search } from './search.ts';

/** Ranks whole blocks by the mean importance of their groups (for the metric `depth`, the block's one value). */
export const DEPTH_SEARCH: Search = {
  name: 'depth',
  unit: 'block',
  rank: ({ table, importance }) => {
    const priorities = new Float64Array(table.layers);
    const counts = new Float64Array(table.layers);
    for (const { layer, start, end } of table.segments) {
      for (let i = start; i < end; i++) priorities[layer] = (priorities[layer] as number) + (importance[i] as number);
      counts[layer] = (counts[layer] as number) + end - start;
    }
    for (let layer = 0; layer < table.layers; layer++)
      priorities[layer] = (priorities[layer] as number) / Math.max(1, counts[layer] as number);
    return priorities;
  },
};
