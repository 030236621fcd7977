import type { MethodRecipe } from './method.ts';

/**
 * Wanda-sp: Wanda (Sun et al. 2024, arXiv 2306.11695) made structured as in FLAP's comparison (An et al. 2024, arXiv 2312.11983). |W| * ||X||_2, the mean over the rows of
 * o or down, heads by the sum of their o columns; the same share of every layer and module, no layer kept.
 */
export const WANDA: MethodRecipe = {
  name: 'wanda',
  metric: 'wanda',
  search: 'uniform-all',
  source: 'Wanda-sp: |W|·‖X‖₂, uniform',
};
