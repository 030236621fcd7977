import type { MethodRecipe } from './method.ts';

/**
 * SlimLLM (Guo et al. 2025, arXiv 2505.22689): attention groups by how much the output of attention changes without them, neurons by their weights along the principal components of the MLP's output,
 * a layer's share by how little it changes its input. Formulas: `surgery/slimllm.ts`. Its repair is `slimllm+regression`.
 */
export const SLIMLLM: MethodRecipe = {
  name: 'slimllm',
  metric: 'slimllm',
  search: 'by-score',
  modelMetric: 'slimllm',
  source: 'SlimLLM: Pearson similarity and principal components, shares by similarity',
};
