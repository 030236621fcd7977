import { DEFAULT_RECIPE } from '../recipe.ts';
import type { MethodRecipe } from './method.ts';

/**
 * The optimal brain surgeon on output projections, with the curvature as a Kronecker product (LLM Surgeon: van der Ouderaa et al. 2024, arXiv 2312.17244; ZipLM: Kurtic et al. 2023, arXiv 2302.04089):
 * one order per parameter over the whole model. Formula: `surgery/surgeon.ts`. Its update of the weights is what `+least-squares` does.
 */
export const SURGEON: MethodRecipe = {
  name: 'surgeon',
  metric: 'surgeon',
  search: 'global',
  modelMetric: 'surgeon',
  source: 'LLM Surgeon and ZipLM: optimal brain surgeon in units of loss, one order',
};

/** Fused with the Kronecker diagonal, selected as SAAP selects (ours). */
export const SAAP_SURGEON: MethodRecipe = {
  ...DEFAULT_RECIPE,
  name: 'saap-surgeon',
  isVariant: true,
  metric: 'kronecker+surgeon',
  modelMetric: 'surgeon',
  source: 'fused kronecker and surgeon, tempered (ours)',
};
