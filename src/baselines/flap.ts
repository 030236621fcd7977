import type { MethodRecipe } from '../saap/method.ts';

/**
 * FLAP (An et al. 2024, arXiv 2312.11983): the variance of an input channel of o or down times the squared norm of its column; standardised within layer and module, one
 * global threshold, so low fluctuation is prunable. Its bias compensation is `flap+bias`. The original standardises single channels and then averages a head's;
 * here the group's mean is standardised, so attention scores spread more.
 */
export const FLAP: MethodRecipe = { name: 'flap', metric: 'flap', search: 'standardised', source: 'FLAP: fluctuation, standardised, one threshold' };
