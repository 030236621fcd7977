import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { Architecture, LayerWidths } from './architecture.ts';
import { type BlockTensors, type BlockWeight, biasOf, LLAMA_TENSORS } from './block-weights.ts';
import { configFields, type LayerSizes, readCommonConfig } from './config.ts';
import type { ConfigFields } from './config-fields.ts';
import { type DecoderParts, decoder } from './decoder.ts';
import { EXPERT_TENSORS, expertsPerToken, withExperts } from './mixture.ts';

/** Of transformers' Lfm2Config. */
const DEFAULTS = {
  num_attention_heads: 32,
  num_key_value_heads: 8,
  intermediate_size: 12_288,
  max_position_embeddings: 128_000,
  rope_theta: 1_000_000,
  norm_eps: 1e-5,
  tie_word_embeddings: true,
  conv_bias: false,
  conv_L_cache: 3,
  block_auto_adjust_ff_dim: true,
  block_ffn_dim_multiplier: 1,
  block_multiple_of: 256,
};

/** Of transformers' Lfm2MoeConfig. */
const MOE_DEFAULTS = {
  ...DEFAULTS,
  intermediate_size: 7168,
  moe_intermediate_size: 1792,
  num_dense_layers: 2,
  num_experts_per_tok: 4,
  num_experts: 32,
  use_expert_bias: true,
  routed_scaling_factor: 1,
  norm_topk_prob: true,
};

const MLP = {
  'mlp.norm': 'ffn_norm.weight',
  'mlp.gate': 'feed_forward.w1.weight',
  'mlp.up': 'feed_forward.w3.weight',
  'mlp.down': 'feed_forward.w2.weight',
  'mlp.down.bias': 'feed_forward.w2.bias',
} as const satisfies BlockTensors;

const ATTENTION: BlockTensors = {
  ...LLAMA_TENSORS,
  'attention.norm': 'operator_norm.weight',
  'attention.query.norm': 'self_attn.q_layernorm.weight',
  'attention.key.norm': 'self_attn.k_layernorm.weight',
  'attention.output': 'self_attn.out_proj.weight',
  'attention.output.bias': 'self_attn.out_proj.bias',
  ...MLP,
};

/** One tensor holds the gate of the input, that of the output and the value. */
const PROJECTIONS = ['convolution.inputGate', 'convolution.outputGate', 'convolution.value'] as const;

const CONVOLUTION: BlockTensors = {
  'convolution.norm': 'operator_norm.weight',
  ...Object.fromEntries(PROJECTIONS.map((weight) => [weight, 'conv.in_proj.weight'])),
  'convolution.kernel': 'conv.conv.weight',
  'convolution.output': 'conv.out_proj.weight',
  'convolution.output.bias': 'conv.out_proj.bias',
  ...MLP,
};

const BIASES: BlockTensors = {
  ...Object.fromEntries(PROJECTIONS.map((weight) => [biasOf(weight), 'conv.in_proj.bias'])),
  'convolution.kernel.bias': 'conv.conv.bias',
};

const LAYER_TYPES = { full_attention: false, conv: true } as const;

/** LFM2 and LFM2.5 (arXiv 2511.23404): most layers mix tokens by a gated short convolution, the others by attention with norms of queries and keys. */
export function lfm2(checkpoint: Checkpoint): Architecture {
  return lfm2Of(checkpoint, 'lfm2');
}

/** LFM2-MoE (LFM2-8B-A1B): LFM2 whose MLP is a mixture of experts in all but the first layers; experts are chosen by a sigmoid and what each was corrected by in training. */
export function lfm2Moe(checkpoint: Checkpoint): Architecture {
  const fields = configFields(checkpoint, MOE_DEFAULTS);
  const count = fields.integer('num_experts', 1 << 20);
  const plain = fields.integer('num_dense_layers', 1024, undefined, 0);
  return lfm2Of(checkpoint, 'lfm2_moe', {
    sizes: { count, neurons: fields.integer('moe_intermediate_size', 1 << 20) },
    tensors: {
      ...EXPERT_TENSORS('feed_forward'),
      ...(fields.boolean('use_expert_bias', true) && { 'mlp.selection': 'feed_forward.expert_bias' }),
    },
    has: (layer) => layer >= plain,
    design: {
      perToken: expertsPerToken(fields, count),
      scores: 'sigmoid',
      normalisation: fields.boolean('norm_topk_prob', true) ? 1e-6 : undefined,
      factor: fields.positive('routed_scaling_factor', 1),
    },
  });
}

type Mixture = NonNullable<DecoderParts['mixture']> & {
  readonly sizes: { readonly count: number; readonly neurons: number };
};

function lfm2Of(checkpoint: Checkpoint, architecture: 'lfm2' | 'lfm2_moe', mixture?: Mixture): Architecture {
  const defaults = mixture ? MOE_DEFAULTS : DEFAULTS;
  const given = configFields(checkpoint, defaults);
  const fields = configFields(checkpoint, {
    ...defaults,
    ...(!mixture && !given.has('layer_types') && { layer_types: layerTypes(given) }),
  }).with({
    ...(!mixture && { intermediate_size: neuronsOf(given) }),
    rms_norm_eps: given.positive('norm_eps'),
    ...(given.has('tie_embedding') && { tie_word_embeddings: given.boolean('tie_embedding', true) }),
  });
  const convolves =
    fields.choices<boolean>('layer_types', fields.integer('num_hidden_layers', 1024), LAYER_TYPES) ?? [];
  const dense = ({ keyValueHeads, neurons, hiddenSize }: LayerSizes) =>
    convolves.map(
      (isConvolution, layer): LayerWidths =>
        withExperts(
          isConvolution ? { keyValueHeads: 0, neurons, channels: hiddenSize } : { keyValueHeads, neurons },
          mixture?.has(layer) ? mixture.sizes : undefined,
        ),
    );
  const { config, activation, positions } = readCommonConfig(checkpoint, fields, architecture, undefined, dense);
  if (!convolves.includes(false))
    throw fields.unsupported('layer_types', 'at least one layer must attend (full_attention)');
  const convolution = { channels: config.hiddenSize, kernel: fields.integer('conv_L_cache', 64) };
  const hasBiases = fields.boolean('conv_bias', false);
  const required: readonly BlockWeight[] = [
    ...PROJECTIONS.map(biasOf),
    'convolution.kernel.bias',
    'convolution.output.bias',
  ];
  return decoder({
    config: { ...config, convolution, ...(mixture && { mixture: mixture.sizes }) },
    ...(mixture && { mixture }),
    activation,
    tensors: ATTENTION,
    convolution: {
      tensors: hasBiases ? { ...CONVOLUTION, ...BIASES } : CONVOLUTION,
      convolves: (layer) => convolves[layer] ?? false,
    },
    required: hasBiases ? required : [],
    finalNorm: 'model.embedding_norm.weight',
    positions: () => positions,
  });
}

/** Older files list the layers that attend. */
function layerTypes(fields: ConfigFields): string[] {
  const attending = fields.indices('full_attn_idxs');
  return Array.from({ length: fields.integer('num_hidden_layers', 1024) }, (_, layer) =>
    attending === undefined || attending.includes(layer) ? 'full_attention' : 'conv',
  );
}

/** The width of the MLP: two thirds of what is stated, times a factor, rounded up, unless it is stated that it is not adjusted. */
function neuronsOf(fields: ConfigFields): number {
  const key = fields.has('block_ff_dim') ? 'block_ff_dim' : 'intermediate_size';
  const stated = fields.integer(key, 1 << 20);
  if (!fields.boolean('block_auto_adjust_ff_dim', true)) return stated;
  const multiple = fields.integer('block_multiple_of', 1 << 20);
  const width = Math.floor(fields.positive('block_ffn_dim_multiplier', 1) * Math.floor((2 * stated) / 3));
  return multiple * Math.ceil(width / multiple);
}
