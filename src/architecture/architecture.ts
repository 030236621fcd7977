import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { Graph } from '../onnx/graph.ts';

/** What every architecture's config.json boils down to. Sizes of the dense model; pruned widths are per layer in `LayerWidths`. */
export interface ModelConfig {
  /** 'llama', 'qwen2', … */
  readonly architecture: string;
  readonly layers: number;
  readonly hiddenSize: number;
  readonly queryHeads: number;
  readonly keyValueHeads: number;
  readonly headDimension: number;
  readonly neurons: number;
  readonly vocabulary: number;
  readonly ropeTheta: number;
  /** Inverse frequencies [headDimension / 2] after any rope scaling. */
  readonly ropeInverseFrequencies: Float64Array;
  readonly normEpsilon: number;
  readonly tiedEmbedding: boolean;
  readonly maximumPositions: number;
  readonly bosTokenId: number | undefined;
  readonly eosTokenIds: readonly number[];
  /** Kept widths of every layer; equal to keyValueHeads and neurons in a dense model. Both 0: the block is removed (identity). */
  readonly layerWidths: readonly LayerWidths[];
}

/** Kept widths of one layer. Query heads = keyValueHeads * (queryHeads / keyValueHeads of the dense model). */
export interface LayerWidths {
  readonly keyValueHeads: number;
  readonly neurons: number;
}

/** One weight of a program: the graph input it feeds and the checkpoint tensor it comes from. */
export interface WeightBinding {
  /** Graph input, e.g. 'attention.query'. */
  readonly input: string;
  /** Checkpoint tensor, e.g. 'model.layers.3.self_attn.q_proj.weight'. */
  readonly tensor: string;
  readonly shape: readonly number[];
  /** Rows of the checkpoint tensor when several inputs share a fused one. */
  readonly rows?: { readonly start: number; readonly end: number };
  /** Absent from most checkpoints (a bias that compensation adds): fed with zeros then. */
  readonly optional?: boolean;
}

/**
 * An architecture emits three programs whose weights are graph inputs and whose sizes are symbolic.
 * - embed: `tokenIds` int64 [batch, tokens], `embedding` [vocabulary, hiddenSize] -> `hidden` [batch, tokens, hiddenSize]
 * - block: `hidden`, `cosine`, `sine` [tokens, headDimension / 2], `mask` [tokens, tokens] (0 or -1e9...), block weights -> `output` [batch, tokens, hiddenSize]
 * - head: `hidden` [rows, hiddenSize], `norm` [hiddenSize], `projection` [vocabulary, hiddenSize], `targets` int64 [rows] -> `losses` [rows] (nats), `logits` [rows, vocabulary]
 */
export interface Architecture {
  readonly config: ModelConfig;
  embed(): Graph;
  block(): Graph;
  head(): Graph;
  embedWeights(): WeightBinding[];
  blockWeights(layer: number): WeightBinding[];
  headWeights(): WeightBinding[];
}

/** Chooses by config.model_type / architectures. Throws UnsupportedError naming the value and the supported ones. */
export type ArchitectureFactory = (checkpoint: Checkpoint) => Architecture;
