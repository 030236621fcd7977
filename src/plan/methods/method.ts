import type { FusionScope } from '../fusion.ts';

/** How a plan is found where scores of the dense model are not enough: by measuring pruned models, by scoring anew after each part that is removed, or as ReplaceMe does. */
export type Planning = 'measured' | 'passes' | 'replace-me';

/** Metrics of methods that look at the model itself. */
export type ModelMetric = 'surgeon' | 'slimllm';

/** What a method name stands for: a score, how it is fused, and a search. */
export interface MethodRecipe {
  /** As it is asked for. */
  readonly name: string;
  /** A metric expression: `parseMetric`. */
  readonly metric: string;
  /** How several metrics become one. */
  readonly fusion?: 'shared' | 'geometric';
  /** Over what they are made comparable. */
  readonly fusionScope?: FusionScope;
  /** A search's name: `findSearch`. */
  readonly search: string;
  /** What it needs of the model beyond scores; absent: nothing. */
  readonly planning?: Planning;
  /** A metric that its expression names and score files lack: it is computed on the model, from the windows that the scores are of. */
  readonly modelMetric?: ModelMetric;
  /** A recipe of ours beside `saap`, no baseline. */
  readonly isVariant?: true;
  /** Paper and formula in a few words, for tables and cards. */
  readonly source: string;
}
