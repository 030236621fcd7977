import type { RatioValue } from './estimate.ts';

const NONE: readonly RatioValue[] = [];

/** Perplexities that are shipped with the page for the present model and recipe, by ratio; none where nothing is. */
export function useShippedCurve(): readonly RatioValue[] {
  return NONE;
}
