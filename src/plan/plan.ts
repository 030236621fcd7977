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

/**
 * What a plan is to reach: a share of the prunable block parameters to remove (0 to below 1), the parameters of the whole model to keep,
 * the bytes of its export, or its bytes in memory (weights and a key/value cache of `context` tokens).
 */
export type Target =
  | { readonly kind: 'ratio' | 'parameters' | 'bytes'; readonly value: number }
  | { readonly kind: 'memory'; readonly value: number; readonly context: number };

/** How a plan was made. Small enough for a URL fragment. */
export interface Recipe {
  readonly model: { readonly name: string; readonly revision?: string; readonly sha256?: string };
  readonly calibration?: {
    readonly source: string;
    readonly sha256: string;
    readonly windows: number;
    readonly length: number;
    readonly seed: number;
  };
  /** Metric name, or a fusion such as 'element-second+fisher'. */
  readonly metric: string;
  readonly fusionScope?: 'model' | 'module' | 'layer';
  readonly fusion?: 'shared' | 'geometric';
  readonly search: string;
  readonly target: Target;
  /** Exponent of `tempered`; absent, it follows the ratio. */
  readonly gamma?: number;
  /** Exponent of (1 + stability) on the score: -1 divides (the paper's direction), 1 multiplies (FLAP's), absent or 0 leaves it out. */
  readonly stability?: number;
  /** Weights on top of `tempered`, `global`, `relative` and `stability`: see saap/search/tempered.ts. */
  readonly balance?: { readonly attention?: number; readonly depth?: number };
  readonly minimumAttentionGroups?: number;
  readonly minimumNeurons?: number;
  readonly protect?: readonly number[];
  readonly compensate?: 'none' | 'bias' | 'least-squares';
  readonly dtype?: 'f32' | 'f16' | 'q8' | 'q4';
  readonly roundTo?: number;
  readonly seed: number;
  /** The numbers above were found by measuring so many pruned models on calibration text; this one's mean loss in nats was the lowest. */
  readonly measured?: { readonly loss: number; readonly evaluations: number };
  /** The model was scored anew after each of so many parts was removed; the plan cannot be made from one score file. Absent: 1. */
  readonly passes?: number;
}
