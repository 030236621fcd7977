import { UsageError } from '../../errors.ts';
import { BUDGET } from './budget.ts';
import { DEPTH_SEARCH } from './depth.ts';
import type { Search } from './search.ts';
import { BY_SCORE, RELATIVE_MODULE, STANDARDISED } from './standardised.ts';
import { GLOBAL, RELATIVE, STABILITY, TEMPERED } from './tempered.ts';
import { UNIFORM, UNIFORM_ALL, UNIFORM_BY_LAYER } from './uniform.ts';

/** Every search that plans from scores alone; the first is the default. */
export const SEARCHES: readonly Search[] = [
  TEMPERED,
  GLOBAL,
  RELATIVE,
  RELATIVE_MODULE,
  STANDARDISED,
  BY_SCORE,
  STABILITY,
  BUDGET,
  UNIFORM,
  UNIFORM_BY_LAYER,
  UNIFORM_ALL,
  DEPTH_SEARCH,
];

/** The search of that name. Throws UsageError listing the names. */
export function findSearch(name: string): Search {
  if (name === 'measured')
    throw new UsageError(
      'The search "measured" measures pruned models, so scores alone are not enough: use "espalier prune MODEL --search measured", or refine() of the library.',
    );
  const search = SEARCHES.find((candidate) => candidate.name === name);
  if (!search)
    throw new UsageError(
      `"${name}" is no search. Searches are ${SEARCHES.map((candidate) => candidate.name).join(', ')}.`,
    );
  return search;
}
