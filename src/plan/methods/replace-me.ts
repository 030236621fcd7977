import type { MethodRecipe } from './method.ts';

/**
 * ReplaceMe (Shopkhoev et al. 2025, arXiv 2505.02819): consecutive blocks between which the residual stream changes least go, and a linear map by least squares in the MLP before them stands for what
 * they added, at no parameter. It is repaired by itself, so that it compares with compensated methods; `depth` is the like without repair.
 */
export const REPLACE_ME: MethodRecipe = {
  name: 'replace-me',
  metric: 'replace-me',
  search: 'depth',
  planning: 'replace-me',
  source: 'ReplaceMe: consecutive blocks, a linear map in their place',
};
