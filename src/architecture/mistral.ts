import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { Architecture } from './architecture.ts';
import { readBiases } from './biases.ts';
import { LLAMA_TENSORS } from './block-weights.ts';
import { configFields, readCommonConfig } from './config.ts';
import { decoder } from './decoder.ts';
import { readUniformPositions, readWindow } from './sliding-windows.ts';

/** Of transformers' MistralConfig. */
const DEFAULTS = {
  num_key_value_heads: 8,
  max_position_embeddings: 4096 * 32,
  rms_norm_eps: 1e-6,
  sliding_window: 4096,
};

/** Mistral (arXiv 2310.06825): LLaMA whose layers all look through one window, if the config has one. */
export function mistral(checkpoint: Checkpoint): Architecture {
  const fields = configFields(checkpoint, DEFAULTS);
  const { config, activation, positions } = readCommonConfig(checkpoint, fields, 'mistral');
  return decoder({
    config,
    activation,
    ...readBiases(checkpoint, fields, LLAMA_TENSORS),
    positions: readUniformPositions(fields, config.layers, { ...positions, window: readWindow(fields) }),
  });
}
