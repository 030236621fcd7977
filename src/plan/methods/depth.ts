import type { MethodRecipe } from './method.ts';

/** ShortGPT (Men et al. 2024, arXiv 2403.03853): block influence, 1 - mean cosine between a block's input and output; whole blocks go, the least influential first. */
export const DEPTH: MethodRecipe = {
  name: 'depth',
  metric: 'depth',
  search: 'depth',
  source: 'ShortGPT: block influence, whole blocks',
};
