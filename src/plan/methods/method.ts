import type { FusionScope } from '../fusion.ts';

/** Metrics of methods that look at the model itself. */
export type ModelMetric = 'surgeon' | 'slimllm';

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
  /** A metric that its expression names and score files lack: it is computed on the model, from the windows that the scores are of. */
  readonly modelMetric?: ModelMetric;
  /** Paper and formula in a few words, for tables and cards. */
  readonly source: string;
}
