import type { FusionScope } from '../fusion.ts';

/** What a method name stands for: a score, how it is fused, and a search. */
export interface MethodRecipe {
  readonly name: string;
  /** A metric expression: `parseMetric`. */
  readonly metric: string;
  readonly fusion?: 'shared' | 'geometric';
  readonly fusionScope?: FusionScope;
  /** A search's name: `findSearch`. */
  readonly search: string;
  /** How its plan is found where scores of the dense model are not enough: by measuring pruned models, or by scoring anew after each part that is removed. */
  readonly planning?: 'measured' | 'passes';
  /** Paper and formula in a few words, for tables and cards. */
  readonly source: string;
}
