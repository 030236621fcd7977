import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Architecture } from '../architecture.ts';
import { readBiases } from '../biases.ts';
import { type BlockTensors, LLAMA_TENSORS } from '../block-weights.ts';
import { configFields, readCommonConfig } from '../config.ts';
import { decoder } from '../decoder.ts';
import { readUniformPositions } from '../sliding-windows.ts';

/** Of transformers' StableLmConfig. */
const DEFAULTS = {
  num_key_value_heads: 32,
  max_position_embeddings: 4096,
  layer_norm_eps: 1e-5,
  tie_word_embeddings: false,
  partial_rotary_factor: 0.25,
  use_qkv_bias: false,
  use_parallel_residual: false,
};

const TENSORS: BlockTensors = { ...LLAMA_TENSORS, 'attention.norm.bias': 'input_layernorm.bias' };

/** StableLM 2 (arXiv 2402.17834): LLaMA with layer normalisation and a quarter of each head's channels turned; biases of queries, keys and values on request. */
export function stableLm(checkpoint: Checkpoint): Architecture {
  const fields = configFields(checkpoint, DEFAULTS, { rms_norm_eps: 'layer_norm_eps', attention_bias: 'use_qkv_bias' });
  const { config, activation, positions } = readCommonConfig(checkpoint, fields, 'stablelm');
  const parallel = fields.boolean('use_parallel_residual', false);
  const { 'mlp.norm': _, ...oneNorm } = TENSORS;
  const tensors = parallel ? oneNorm : { ...TENSORS, 'mlp.norm.bias': 'post_attention_layernorm.bias' };
  const asked = fields.boolean('attention_bias', false)
    ? (['attention.query.bias', 'attention.key.bias', 'attention.value.bias'] as const)
    : [];
  const { tensors: biased, required } = readBiases(checkpoint, fields, tensors, asked);
  return decoder({
    config,
    activation,
    norm: 'layer',
    parallel,
    tensors: biased,
    required: [...required, 'attention.norm.bias', 'mlp.norm.bias'],
    positions: readUniformPositions(fields, config.layers, positions),
  });
}
