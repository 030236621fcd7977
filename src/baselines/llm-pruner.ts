import type { MethodRecipe } from '../saap/method.ts';

/**
 * LLM-Pruner (Ma, Fang and Wang 2023, arXiv 2305.11627): the same share of every layer but the first and last, which stay whole, by a first-order ("vector",
 * "element-first") or mixed ("element-mixed") Taylor score of the coupled structure. Formulas: docs/method.md section 2.
 */
export const LLM_PRUNER: readonly MethodRecipe[] = [
  { name: 'llm-pruner-vector', metric: 'vector', search: 'uniform', source: 'LLM-Pruner, vector-wise first-order Taylor' },
  { name: 'llm-pruner-element-first', metric: 'element-first', search: 'uniform', source: 'LLM-Pruner, element-wise first-order Taylor' },
  { name: 'llm-pruner-element-mixed', metric: 'element-mixed', search: 'uniform', source: 'LLM-Pruner, element-wise Taylor to second order' },
];

/** LLM-Pruner's published recipe for LLaMA-7B keeps layers 0 to 3 and 30 to 31 of 32. */
const PUBLISHED = { layers: 32, first: 4, last: 2 };

/** The layers that LLM-Pruner keeps, its counts scaled to the model: 0 to 2 and 28 to 29 of 30; none of a model too shallow for a share of one layer. */
export function llmPrunerProtection(layers: number): readonly number[] {
  const first = Math.floor((PUBLISHED.first * layers) / PUBLISHED.layers);
  const last = Math.round((PUBLISHED.last * layers) / PUBLISHED.layers);
  return Array.from({ length: layers }, (_, layer) => layer).filter((layer) => layer < first || layer >= layers - last);
}
