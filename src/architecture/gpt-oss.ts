import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { Architecture, LayerWidths } from './architecture.ts';
import { type BlockTensors, biasOf, LLAMA_TENSORS } from './block-weights.ts';
import { configFields, type LayerSizes, readCommonConfig } from './config.ts';
import { decoder } from './decoder.ts';
import { EXPERT_TENSORS, expertsPerToken, withExperts } from './mixture.ts';
import { readMixedPositions, readWindow } from './sliding-windows.ts';

/** Of transformers' GptOssConfig. */
const DEFAULTS = {
  num_attention_heads: 64,
  num_key_value_heads: 8,
  head_dim: 64,
  intermediate_size: 2880,
  max_position_embeddings: 131_072,
  rms_norm_eps: 1e-5,
  rope_theta: 150_000,
  sliding_window: 128,
  tie_word_embeddings: false,
  num_local_experts: 128,
  num_experts_per_tok: 4,
  swiglu_alpha: 1.702,
  swiglu_limit: 7,
};

/** How its positions are scaled where config.json says nothing of it. */
const ROPE_SCALING = {
  rope_type: 'yarn',
  factor: 32,
  beta_fast: 32,
  beta_slow: 1,
  truncate: false,
  original_max_position_embeddings: 4096,
};

const ATTENTION = ['attention.query', 'attention.key', 'attention.value'] as const;

const TENSORS: BlockTensors = {
  ...LLAMA_TENSORS,
  'attention.query.bias': 'self_attn.q_proj.bias',
  'attention.key.bias': 'self_attn.k_proj.bias',
  'attention.value.bias': 'self_attn.v_proj.bias',
  'attention.sinks': 'self_attn.sinks',
};

/**
 * gpt-oss (arXiv 2508.10925): attention to a sink beside the tokens, a number for each query head, biases throughout, every other layer through a window, and an MLP of experts with a
 * clamped gate; the softmax of the router is over those that are chosen.
 */
export function gptOss(stored: Checkpoint): Architecture {
  const isSilent = !stored.config.rope_scaling && !stored.config.rope_parameters;
  const checkpoint = isSilent ? { ...stored, config: { ...stored.config, rope_scaling: ROPE_SCALING } } : stored;
  const fields = configFields(checkpoint, DEFAULTS);
  const count = fields.integer('num_local_experts', 1 << 20);
  const mixture = { count, neurons: fields.integer('intermediate_size', 1 << 20) };
  const dense = ({ layers, keyValueHeads, neurons }: LayerSizes) =>
    Array.from({ length: layers }, (): LayerWidths => withExperts({ keyValueHeads, neurons }, mixture));
  const { config, positions } = readCommonConfig(checkpoint, fields, 'gpt_oss', undefined, dense);
  const window = readWindow(fields);
  return decoder({
    config: { ...config, mixture },
    tensors: TENSORS,
    required: [...ATTENTION.map(biasOf), 'attention.output.bias', 'mlp.gate.bias', 'mlp.up.bias', 'mlp.router.bias'],
    clamp: { limit: fields.positive('swiglu_limit'), alpha: fields.positive('swiglu_alpha') },
    mixture: {
      tensors: {
        ...EXPERT_TENSORS('mlp'),
        'mlp.router': 'mlp.router.weight',
        'mlp.router.bias': 'mlp.router.bias',
        'mlp.gate.bias': 'mlp.experts.gate.bias',
        'mlp.up.bias': 'mlp.experts.up.bias',
        'mlp.expertBias': 'mlp.experts.down_proj_bias',
      },
      has: () => true,
      design: { perToken: expertsPerToken(fields, count), scores: 'softmax', normalisation: 0, factor: 1 },
    },
    positions: readMixedPositions(
      fields,
      config.layers,
      positions,
      window === undefined ? undefined : { ...positions, window },
      (layer) => layer % 2 === 0,
    ),
  });
}
