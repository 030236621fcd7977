import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { Graph } from '../onnx/graph.ts';
import type { ClampedGate } from './clamped-gate.ts';
import type { ExpertDesign } from './experts.ts';

/** What every architecture's config.json boils down to. Sizes of the dense model; pruned widths are per layer in `LayerWidths`. */
export interface ModelConfig {
  /** 'llama', 'qwen2', … */
  readonly architecture: string;
  /** Transformer blocks, those included that pruning removed. */
  readonly layers: number;
  /** Numbers of a token's state between blocks. */
  readonly hiddenSize: number;
  /** Query heads of a layer of the dense model. */
  readonly queryHeads: number;
  /** Key and value heads of a layer of the dense model. */
  readonly keyValueHeads: number;
  /** Numbers of a head. */
  readonly headDimension: number;
  /** Neurons of the MLP of a layer of the dense model. */
  readonly neurons: number;
  /** Tokens that it knows. */
  readonly vocabulary: number;
  /** Base of the rotary frequencies. */
  readonly ropeTheta: number;
  /** Inverse frequencies [rotaryDimension / 2] after any rope scaling; of the layers without a window where layers differ (see `Architecture.positions`). */
  readonly ropeInverseFrequencies: Float64Array;
  /** What norms add to the mean square. */
  readonly normEpsilon: number;
  /** Whether the output matrix is the embedding. */
  readonly tiedEmbedding: boolean;
  /** Longest sequence; with LongRoPE scaling the original length, beyond which other factors would be needed. */
  readonly maximumPositions: number;
  /** Token that begins a text. */
  readonly bosTokenId: number | undefined;
  /** Tokens that end a text. */
  readonly eosTokenIds: readonly number[];
  /** Kept widths of every layer; equal to the dense sizes in a dense model. All 0: the block is removed (identity). */
  readonly layerWidths: readonly LayerWidths[];
  /** Of the layers that convolve: channels of the dense model, and positions that a channel sees, itself and those just before. */
  readonly convolution?: {
    /** How many, of the dense model. */
    readonly channels: number;
    /** Tokens that a channel sees. */
    readonly kernel: number;
  };
  /** Of the layers with a recurrence: the sizes of its state and of what feeds it, which stay. */
  readonly recurrence?: RecurrenceSizes;
  /** Of the layers with experts: how many the dense model has, and the neurons of each. */
  readonly mixture?: {
    /** Experts of a layer. */
    readonly count: number;
    /** Neurons of an expert. */
    readonly neurons: number;
  };
}

/** Sizes of a gated delta rule: a state [keyDimension, valueDimension] for each value head. */
export interface RecurrenceSizes {
  /** Heads of queries and keys; each serves `valueHeads` / `keyHeads` value heads. */
  readonly keyHeads: number;
  /** Heads of values, with a state each. */
  readonly valueHeads: number;
  /** Numbers of a query or key. */
  readonly keyDimension: number;
  /** Numbers of a value. */
  readonly valueDimension: number;
  /** Tokens that the convolution before it sees. */
  readonly kernel: number;
}

/** Kept widths of one layer. Query heads = keyValueHeads * (queryHeads / keyValueHeads of the dense model). */
export interface LayerWidths {
  /** Key and value heads that stay: attention groups. */
  readonly keyValueHeads: number;
  /** Neurons of the MLP that stay. */
  readonly neurons: number;
  /** Of a layer that convolves in place of attending. */
  readonly channels?: number;
  /** Of a layer with a recurrence in place of attention: whether it is there. It goes with the whole layer alone. */
  readonly recurrent?: boolean;
  /** Of a layer with experts: the neurons of each that it keeps, which are `neurons` together. */
  readonly experts?: readonly number[];
}

/** What a layer mixes tokens by. */
export type Mixer = 'attention' | 'convolution' | 'recurrence';

/** What a layer is made of. Layers of one kind share their programs. */
export type LayerKind = Mixer | `${Mixer} with experts`;

/** One weight of a program: the graph input it feeds and the checkpoint tensor it comes from. */
export interface WeightBinding {
  /** Graph input, e.g. 'attention.query'. */
  readonly input: string;
  /** Checkpoint tensor, e.g. 'model.layers.3.self_attn.q_proj.weight'. */
  readonly tensor: string;
  readonly shape: readonly number[];
  /** Rows of the checkpoint tensor when several inputs share a fused one of `of` rows. */
  readonly rows?: { readonly start: number; readonly end: number; readonly of: number };
  /** Added to every element when the tensor is read: 1 for norms that are stored as their difference from one. */
  readonly offset?: number;
  /** Absent from most checkpoints (a bias that compensation adds): fed with zeros then. */
  readonly optional?: boolean;
  /** In no tensor: the table of which neuron belongs to which expert, from the neurons of each. */
  readonly assignment?: readonly number[];
}

export type Activation = 'silu' | 'gelu' | 'gelu-tanh' | 'relu';

/** What an architecture computes beyond its sizes and its weights. Block programs and exported decoders are both made from it. */
export interface DecoderDesign {
  /** Factor on the rows of the embedding. */
  readonly embeddingScale: number;
  /** Factor on the products of queries and keys. */
  readonly attentionScale: number;
  /** Of the gate: activation(x G) * (x U); of x U itself where an architecture has no gate. */
  readonly activation: Activation;
  /** Of the layers with experts. */
  readonly experts?: ExpertDesign;
  /** In place of activation and product: (x U + 1) * g sigmoid(alpha g), g = x G, with g at most `limit` and x U between -limit and limit. */
  readonly clamp?: ClampedGate;
  /** 'rms': root mean square (Zhang and Sennrich 2019); 'layer': with mean and bias (Ba et al. 2016). */
  readonly norm: 'rms' | 'layer';
  /** Channels that turn together: i and i + half, or 2i and 2i + 1. */
  readonly rotation: 'halves' | 'pairs';
  /** Norms of queries and keys come after the rotation. */
  readonly normAfterRotation: boolean;
  /** Attention and MLP read the same stream, and both are added to it. */
  readonly parallel: boolean;
  /** Factor on what a module adds to the stream. */
  readonly residualScale: number;
  /** Factor on the logits. */
  readonly logitScale: number;
  /** c in c tanh(z / c) of the products of queries and keys, and of the logits. */
  readonly attentionCap: number | undefined;
  readonly logitCap: number | undefined;
  /** Whether states start with a learned vector of their position (input `positions` of the embed program, [maximumPositions, hiddenSize]). */
  readonly learnedPositions: boolean;
}

/** How one layer sees positions. Layers that are given the same object share tables and mask. */
export interface LayerPositions {
  /** [rotaryDimension / 2] in radians per position; channels beyond rotaryDimension are not turned. */
  readonly inverseFrequencies: Float64Array;
  /** Factor on cosine and sine. */
  readonly magnitude: number;
  /** Positions that a query sees, itself and those just before; undefined: all up to itself. */
  readonly window: number | undefined;
}

/**
 * An architecture emits three programs whose weights are graph inputs and whose sizes are symbolic.
 * - embed: `tokenIds` int64 [batch, tokens], `embedding` [vocabulary, hiddenSize] -> `hidden` [batch, tokens, hiddenSize]; with learned positions `positionIds` int64 [tokens]
 * - block, one of each kind of layers: `hidden`, `cosine`, `sine` [tokens, rotaryDimension / 2], `mask` [tokens, tokens] (0 or -1e9...; these three where layers attend), block weights
 *   -> `output` [batch, tokens, hiddenSize]
 * - head: `hidden` [rows, hiddenSize], `norm` [hiddenSize], `projection` [vocabulary, hiddenSize], where there are biases `norm.bias` and `projection.bias`, `targets` int64 [rows]
 *   -> `losses` [rows] (nats), `logits` [rows, vocabulary]
 */
export interface Architecture {
  readonly config: ModelConfig;
  readonly design: DecoderDesign;
  positions(layer: number): LayerPositions;
  kind(layer: number): LayerKind;
  embed(): Graph;
  /** The program of layers of one kind. Default: of the kind that most architectures have alone, attention. */
  block(kind?: LayerKind): Graph;
  head(): Graph;
  embedWeights(): WeightBinding[];
  blockWeights(layer: number): WeightBinding[];
  headWeights(): WeightBinding[];
}

/** Chooses by config.model_type / architectures. Throws UnsupportedError naming the value and the supported ones. */
export type ArchitectureFactory = (checkpoint: Checkpoint) => Architecture;
