import type { FusionScope } from '../fusion.ts';

/** How a plan is found where scores of the dense model are not enough: by measuring pruned models, by scoring anew after each part that is removed, or as ReplaceMe does. */
export type Planning = 'measured' | 'passes' | 'replace-me';

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
  readonly planning?: Planning;
  /** A metric that its expression names and score files lack: it is computed on the model, from the windows that the scores are of. */
  readonly modelMetric?: ModelMetric;
  /** Paper and formula in a few words, for tables and cards. */
  readonly source: string;
}
