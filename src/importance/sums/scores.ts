import type { LayerGroups } from '../structures/structures.ts';
import type { Metric } from './metrics.ts';

export { METRICS, type Metric } from './metrics.ts';

/** Scores of the groups of one module, by metric. */
export type ModuleScores = Readonly<Partial<Record<Metric, Float32Array>>>;

/** Scores of the groups of one layer; `convolution` where it has such groups. */
export interface LayerScores {
  /** Of the attention groups, by metric. */
  readonly attention: ModuleScores;
  /** Of the channels of a convolution, by metric. */
  readonly convolution?: ModuleScores;
  /** Of the neurons, by metric. */
  readonly mlp: ModuleScores;
}

/** Scores of every group of a model: the asset that planning works from (docs/architecture.md section 1.5, file format 7.2). */
export interface Scores {
  /** The version of the file format. */
  readonly format: 'espalier-scores/1';
  /** The model that was scored. */
  readonly model: {
    /** Shown to people. */
    readonly name: string;
    /** Of a hub: the commit. */
    readonly revision?: string;
    /** Of its weights. */
    readonly sha256: string;
    /** Its config.json. */
    readonly config: Readonly<Record<string, unknown>>;
    /** Parameters of the whole model. */
    readonly parameters: number;
  };
  /** The text that it was scored on. */
  readonly calibration: {
    /** Names of the files. */
    readonly source: string;
    /** Of the text. */
    readonly sha256: string;
    /** How many windows. */
    readonly windows: number;
    /** Tokens of a window. */
    readonly length: number;
    /** Of the choice of windows. */
    readonly seed: number;
    /** What importance is the gradient of; absent: cross-entropy with the text. */
    readonly objective?: 'model' | 'teacher';
    /** Gradients of each window, where labels were drawn. */
    readonly draws?: number;
    /** Mean cross-entropy in nats. */
    readonly loss: number;
    /** Predictions. */
    readonly tokens: number;
  };
  /** What computed them. */
  readonly engine: {
    /** Of Espalier. */
    readonly version: string;
    /** Where. */
    readonly backend: string;
    /** Half precision, of weights, states and products; absent: single precision. */
    readonly precision?: 'f16';
    /** What a reader should know of how the scores came about, as sentences: for instance that two backends differed. */
    readonly notes?: readonly string[];
  };
  /** Of every layer. */
  readonly groups: readonly LayerGroups[];
  /** Arrays have one value per group: [groups] and [neurons]. `depth` is one value per layer, repeated for every group of it. */
  readonly layers: readonly LayerScores[];
}
