import { MODULES } from '../../importance/structures/structures.ts';
import { meanOver } from '../fusion.ts';
import type { Search } from './search.ts';

/**
 * The z-score within layer and module (population standard deviation), one ranking over the model.
 * With few key/value heads an attention group's z-score can hardly leave [-1.5, 1.5], so a share of them goes whatever they are worth.
 */
export const STANDARDISED: Search = {
  name: 'standardised',
  unit: 'group',
  rank: ({ table, importance }) => {
    const priorities = new Float64Array(table.length);
    for (const segment of table.segments) {
      const mean = meanOver(importance, [segment]);
      let squares = 0;
      for (let i = segment.start; i < segment.end; i++) squares += ((importance[i] as number) - mean) ** 2;
      const deviation = Math.sqrt(squares / Math.max(1, segment.end - segment.start));
      if (deviation === 0) continue;
      for (let i = segment.start; i < segment.end; i++) priorities[i] = ((importance[i] as number) - mean) / deviation;
    }
    return priorities;
  },
};

/** The score as it is, for metrics that are comparable already: FLAP's own selection (baselines/flap.ts). */
export const BY_SCORE: Search = {
  name: 'by-score',
  unit: 'group',
  rank: ({ importance }) => Float64Array.from(importance),
};

/** The score divided by the mean of its module type over the model, both per parameter. */
export const RELATIVE_MODULE: Search = {
  name: 'relative-module',
  unit: 'group',
  rank: ({ table, importance }) => {
    const priorities = new Float64Array(table.length);
    for (const { start, end, parametersPerGroup } of table.segments) {
      for (let i = start; i < end; i++) priorities[i] = (importance[i] as number) / parametersPerGroup;
    }
    for (const module of MODULES) {
      const segments = table.segments.filter((segment) => segment.module === module);
      const mean = meanOver(priorities, segments);
      if (mean === 0) continue;
      for (const { start, end } of segments)
        for (let i = start; i < end; i++) priorities[i] = (priorities[i] as number) / mean;
    }
    return priorities;
  },
};
