import type { LayerGroups } from '../importance/structures/structures.ts';
import type { Recipe } from './recipe.ts';

export type { Recipe, Target } from './recipe.ts';

/**
 * Which groups of one layer stay. All lists empty: the whole block is removed, its norms too (depth pruning). Otherwise something is kept of everything that the layer has.
 * Plain data, the contents of plan.json (format espalier-plan/1).
 */
export interface LayerPlan {
  /** Kept attention group (KV head) indices, ascending. */
  readonly attention: readonly number[];
  /** Kept channels of the convolution, ascending, of a layer that convolves in place of attending. */
  readonly convolution?: readonly number[];
  /** Kept MLP group (neuron) indices, ascending. */
  readonly mlp: readonly number[];
}

/** Whether nothing of a layer stays. */
export function removesLayer({ attention, convolution = [], mlp }: LayerPlan): boolean {
  return attention.length === 0 && convolution.length === 0 && mlp.length === 0;
}

/** Groups of a layer that mix tokens: heads, or channels of a convolution. */
export function keptMixing({ attention, convolution = [] }: LayerPlan): number {
  return attention.length + convolution.length;
}

/** Parameters that belong to no group and go because their layers do. */
export function removedBeside(layers: readonly LayerPlan[], groups: readonly LayerGroups[]): number {
  return layers.reduce((sum, layer, index) => sum + (removesLayer(layer) ? (groups[index]?.beside ?? 0) : 0), 0);
}

/** Which groups stay, and how that was decided. */
export interface Plan {
  /** The version of the file format. */
  readonly format: 'espalier-plan/1';
  /** How it was made. */
  readonly recipe: Recipe;
  /** Removed / prunable block parameters, as reached. */
  readonly ratio: number;
  /** Parameters of the whole model before and after. */
  readonly parametersBefore: number;
  /** Parameters of the pruned model. */
  readonly parametersAfter: number;
  /** The groups that stay, layer by layer. */
  readonly layers: readonly LayerPlan[];
}
