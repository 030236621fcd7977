/** Which groups stay. Plain data, the contents of plan.json (format espalier-plan/1). */
export interface LayerPlan {
  /** Kept attention group (KV head) indices, ascending. */
  readonly attention: readonly number[];
  /** Kept MLP group (neuron) indices, ascending. */
  readonly mlp: readonly number[];
}

/** Group counts and parameters per group of one layer, as discovery finds them. */
export interface LayerGroups {
  readonly attention: { readonly groups: number; readonly parametersPerGroup: number };
  readonly mlp: { readonly groups: number; readonly parametersPerGroup: number };
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
  readonly target: { readonly kind: 'ratio' | 'parameters' | 'bytes' | 'memory'; readonly value: number };
  readonly protect?: readonly number[];
  readonly compensate?: 'none' | 'bias' | 'least-squares';
  readonly dtype?: 'f32' | 'f16' | 'q8' | 'q4';
  readonly roundTo?: number;
  readonly seed: number;
}
