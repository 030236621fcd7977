import type { Recipe } from './recipe.ts';

export type { Recipe, Target } from './recipe.ts';

/**
 * Which groups of one layer stay. Both lists empty: the whole block is removed, its norms too (depth pruning). One list alone is never empty.
 * Plain data, the contents of plan.json (format espalier-plan/1).
 */
export interface LayerPlan {
  /** Kept attention group (KV head) indices, ascending. */
  readonly attention: readonly number[];
  /** Kept MLP group (neuron) indices, ascending. */
  readonly mlp: readonly number[];
}

export interface Plan {
  readonly format: 'espalier-plan/1';
  readonly recipe: Recipe;
  /** Removed / prunable block parameters, as reached. */
  readonly ratio: number;
  /** Parameters of the whole model before and after. */
  readonly parametersBefore: number;
  readonly parametersAfter: number;
  readonly layers: readonly LayerPlan[];
}
