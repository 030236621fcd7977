import type { MethodRecipe } from './method.ts';

/**
 * FLAP (An et al. 2024, arXiv 2312.11983): the variance of an input channel of o or down times the squared norm of its column, standardised over the channels of
 * a layer's module and averaged over a head's channels; one global threshold, so low fluctuation is prunable. Its bias compensation is `flap+bias`.
 */
export const FLAP: MethodRecipe = {
  name: 'flap',
  metric: 'flap-standardised',
  search: 'by-score',
  source: 'FLAP: fluctuation, standardised, one threshold',
};
