import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { Architecture } from './architecture.ts';
import { readBiases } from './biases.ts';
import { LLAMA_TENSORS, QUERY_KEY_NORMS } from './block-weights.ts';
import { configFields, readCommonConfig } from './config.ts';
import { decoder } from './decoder.ts';
import { readQwenPositions } from './qwen-positions.ts';

/** Of transformers' Qwen3Config. */
const DEFAULTS = {
  num_key_value_heads: 32,
  head_dim: 128,
  max_position_embeddings: 32_768,
  rms_norm_eps: 1e-6,
  use_sliding_window: false,
  sliding_window: 4096,
  max_window_layers: 28,
};

/** Qwen3 (arXiv 2505.09388): LLaMA with RMS norms over every head of queries and keys. */
export function qwen3(checkpoint: Checkpoint): Architecture {
  const fields = configFields(checkpoint, DEFAULTS);
  const { config, activation, positions } = readCommonConfig(checkpoint, fields, 'qwen3');
  return decoder({
    config,
    activation,
    ...readBiases(checkpoint, fields, { ...LLAMA_TENSORS, ...QUERY_KEY_NORMS }),
    positions: readQwenPositions(fields, config.layers, positions),
  });
}
