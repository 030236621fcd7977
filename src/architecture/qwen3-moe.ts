import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { Architecture, LayerWidths } from './architecture.ts';
import { readBiases } from './biases.ts';
import { LLAMA_TENSORS, QUERY_KEY_NORMS } from './block-weights.ts';
import { configFields, type LayerSizes, readCommonConfig } from './config.ts';
import { decoder } from './decoder.ts';
import { EXPERT_TENSORS, expertsPerToken, withExperts } from './mixture.ts';
import { readQwenPositions } from './qwen-positions.ts';

/** Of transformers' Qwen3MoeConfig. */
const DEFAULTS = {
  num_attention_heads: 32,
  num_key_value_heads: 4,
  intermediate_size: 6144,
  max_position_embeddings: 32_768,
  rms_norm_eps: 1e-6,
  use_sliding_window: false,
  sliding_window: 4096,
  max_window_layers: 28,
  tie_word_embeddings: false,
  decoder_sparse_step: 1,
  moe_intermediate_size: 768,
  num_experts_per_tok: 8,
  num_experts: 128,
  norm_topk_prob: false,
};

const MOST = 1 << 20;

/** Qwen3-MoE (arXiv 2505.09388): Qwen3 whose MLP is a mixture of experts in all layers, or in all but some; the router's softmax is over all experts. */
export function qwen3Moe(checkpoint: Checkpoint): Architecture {
  const fields = configFields(checkpoint, DEFAULTS);
  const count = fields.integer(
    checkpoint.config.num_experts === undefined && fields.has('num_local_experts')
      ? 'num_local_experts'
      : 'num_experts',
    MOST,
  );
  const mixture = { count, neurons: fields.integer('moe_intermediate_size', MOST) };
  const plain = fields.indices('mlp_only_layers') ?? [];
  const step = fields.integer('decoder_sparse_step', MOST);
  const has = (layer: number) => !plain.includes(layer) && (layer + 1) % step === 0;
  const dense = ({ layers, keyValueHeads, neurons }: LayerSizes) =>
    Array.from(
      { length: layers },
      (_, layer): LayerWidths => withExperts({ keyValueHeads, neurons }, has(layer) ? mixture : undefined),
    );
  const { config, activation, positions } = readCommonConfig(checkpoint, fields, 'qwen3_moe', undefined, dense);
  return decoder({
    config: { ...config, mixture },
    activation,
    ...readBiases(checkpoint, fields, { ...LLAMA_TENSORS, ...QUERY_KEY_NORMS }),
    mixture: {
      tensors: EXPERT_TENSORS('mlp'),
      has,
      design: {
        perToken: expertsPerToken(fields, count),
        scores: 'softmax',
        normalisation: fields.boolean('norm_topk_prob', false) ? 0 : undefined,
        factor: 1,
      },
    },
    positions: readQwenPositions(fields, config.layers, positions),
  });
}
