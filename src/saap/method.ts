import type { FusionScope } from './fusion.ts';

/** What a method name stands for: a score, how it is fused, and a search. */
export interface MethodRecipe {
  readonly name: string;
  /** A metric expression: `parseMetric`. */
  readonly metric: string;
  readonly fusion?: 'shared' | 'geometric';
  readonly fusionScope?: FusionScope;
  /** A search's name: `findSearch`. */
  readonly search: string;
  /** Paper and formula in a few words, for tables and cards. */
  readonly source: string;
}
