import type { MethodRecipe } from './method.ts';

/** Magnitude pruning of coupled structures: the sum of |w| (L1) or of w^2 (L2) over a group's weights (Li et al. 2017, arXiv 1608.08710), selected as LLM-Pruner does. */
export const MAGNITUDE: readonly MethodRecipe[] = [
  { name: 'magnitude-l1', metric: 'magnitude-l1', search: 'uniform', source: 'sum of |w|, LLM-Pruner selection' },
  { name: 'magnitude-l2', metric: 'magnitude-l2', search: 'uniform', source: 'sum of w², LLM-Pruner selection' },
];
