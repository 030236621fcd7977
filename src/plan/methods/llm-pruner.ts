import type { MethodRecipe } from './method.ts';

/**
 * LLM-Pruner (Ma, Fang and Wang 2023, arXiv 2305.11627): the same share of every layer but the first and last, which stay whole, by a first-order ("vector",
 * "element-first") or mixed ("element-mixed") Taylor score of the coupled structure. Formulas: docs/method.md section 2.
 */
export const LLM_PRUNER: readonly MethodRecipe[] = [
  {
    name: 'llm-pruner-vector',
    metric: 'vector',
    search: 'uniform',
    source: 'LLM-Pruner, vector-wise first-order Taylor',
  },
  {
    name: 'llm-pruner-element-first',
    metric: 'element-first',
    search: 'uniform',
    source: 'LLM-Pruner, element-wise first-order Taylor',
  },
  {
    name: 'llm-pruner-element-mixed',
    metric: 'element-mixed',
    search: 'uniform',
    source: 'LLM-Pruner, element-wise Taylor to second order',
  },
];
