import type { LayerGroups } from '../structures/structures.ts';
import type { Metric } from './metrics.ts';

export { METRICS, type Metric } from './metrics.ts';

export type ModuleScores = Readonly<Partial<Record<Metric, Float32Array>>>;

/** Scores of the groups of one layer; `convolution` where it has such groups. */
export interface LayerScores {
  readonly attention: ModuleScores;
  readonly convolution?: ModuleScores;
  readonly mlp: ModuleScores;
}

/** Scores of every group of a model: the asset that planning works from (docs/architecture.md section 1.5, file format 7.2). */
export interface Scores {
  readonly format: 'espalier-scores/1';
  readonly model: {
    readonly name: string;
    readonly revision?: string;
    readonly sha256: string;
    readonly config: Readonly<Record<string, unknown>>;
    /** Parameters of the whole model. */
    readonly parameters: number;
  };
  readonly calibration: {
    readonly source: string;
    readonly sha256: string;
    readonly windows: number;
    readonly length: number;
    readonly seed: number;
    /** What importance is the gradient of; absent: cross-entropy with the text. */
    readonly objective?: 'model' | 'teacher';
    /** Gradients of each window, where labels were drawn. */
    readonly draws?: number;
    readonly loss: number;
    readonly tokens: number;
  };
  readonly engine: {
    readonly version: string;
    readonly backend: string;
    /** What a reader should know of how the scores came about, as sentences: for instance that two backends differed. */
    readonly notes?: readonly string[];
  };
  readonly groups: readonly LayerGroups[];
  /** Arrays have one value per group: [groups] and [neurons]. `depth` is one value per layer, repeated for every group of it. */
  readonly layers: readonly LayerScores[];
}
