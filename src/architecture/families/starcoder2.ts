import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Architecture } from '../architecture.ts';
import { readBiases } from '../biases.ts';
import { type BlockTensors, LLAMA_TENSORS } from '../block-weights.ts';
import { configFields, readCommonConfig } from '../config.ts';
import { decoder } from '../decoder.ts';
import { readUniformPositions, readWindow } from '../sliding-windows.ts';

/** Of transformers' Starcoder2Config. */
const DEFAULTS = {
  num_key_value_heads: 2,
  hidden_act: 'gelu_pytorch_tanh',
  max_position_embeddings: 4096,
  norm_epsilon: 1e-5,
  tie_word_embeddings: true,
  use_bias: true,
};

const { 'mlp.gate': _, ...UNGATED } = LLAMA_TENSORS;

const TENSORS: BlockTensors = {
  ...UNGATED,
  'attention.norm.bias': 'input_layernorm.bias',
  'mlp.norm.bias': 'post_attention_layernorm.bias',
  'mlp.up': 'mlp.c_fc.weight',
  'mlp.down': 'mlp.c_proj.weight',
  'mlp.down.bias': 'mlp.c_proj.bias',
};

/** StarCoder 2 (arXiv 2402.19173): layer normalisation, an MLP without a gate, biases everywhere, a window in all layers if the config has one. */
export function starcoder2(checkpoint: Checkpoint): Architecture {
  const fields = configFields(checkpoint, DEFAULTS, {
    rms_norm_eps: 'norm_epsilon',
    attention_bias: 'use_bias',
    mlp_bias: 'use_bias',
  });
  const { config, activation, positions } = readCommonConfig(checkpoint, fields, 'starcoder2');
  const { tensors, required } = readBiases(checkpoint, fields, TENSORS);
  return decoder({
    config,
    activation,
    norm: 'layer',
    tensors,
    required: [...required, 'attention.norm.bias', 'mlp.norm.bias'],
    positions: readUniformPositions(fields, config.layers, { ...positions, window: readWindow(fields) }),
  });
}
