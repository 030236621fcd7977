import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Architecture } from '../architecture.ts';
import { readBiases } from '../biases.ts';
import { LLAMA_TENSORS } from '../block-weights.ts';
import { configFields, readCommonConfig } from '../config.ts';
import { decoder } from '../decoder.ts';
import { readUniformPositions } from '../sliding-windows.ts';

/** Of transformers' Ernie4_5Config. */
const DEFAULTS = {
  num_key_value_heads: 2,
  head_dim: 128,
  max_position_embeddings: 131_072,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
  rope_theta: 500_000,
};

/** ERNIE 4.5 where it is dense: LLaMA whose channels turn in pairs, with biases everywhere or nowhere. */
export function ernie45(checkpoint: Checkpoint): Architecture {
  // One switch for what LLaMA has two for.
  const fields = configFields(checkpoint, DEFAULTS, { attention_bias: 'use_bias', mlp_bias: 'use_bias' });
  const { config, activation, positions } = readCommonConfig(checkpoint, fields, 'ernie4_5');
  return decoder({
    config,
    activation,
    rotation: 'pairs',
    ...readBiases(checkpoint, fields, LLAMA_TENSORS),
    positions: readUniformPositions(fields, config.layers, positions),
  });
}
