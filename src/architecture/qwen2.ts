import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { Architecture } from './architecture.ts';
import { readBiases } from './biases.ts';
import { LLAMA_TENSORS } from './block-weights.ts';
import { configFields, readCommonConfig } from './config.ts';
import { decoder } from './decoder.ts';
import { readQwenPositions } from './qwen-positions.ts';

/** Of transformers' Qwen2Config. */
const DEFAULTS = {
  num_key_value_heads: 32,
  max_position_embeddings: 32_768,
  rms_norm_eps: 1e-6,
  use_sliding_window: false,
  sliding_window: 4096,
  max_window_layers: 28,
};

/** Qwen2 and Qwen2.5: LLaMA with biases on queries, keys and values. */
export function qwen2(checkpoint: Checkpoint): Architecture {
  const fields = configFields(checkpoint, DEFAULTS);
  const { config, activation, positions } = readCommonConfig(checkpoint, fields, 'qwen2');
  return decoder({
    config,
    activation,
    ...readBiases(checkpoint, fields, LLAMA_TENSORS, [
      'attention.query.bias',
      'attention.key.bias',
      'attention.value.bias',
    ]),
    positions: readQwenPositions(fields, config.layers, positions),
  });
}
