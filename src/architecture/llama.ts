import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { Architecture } from './architecture.ts';
import { readBiases } from './biases.ts';
import { LLAMA_TENSORS } from './block-weights.ts';
import { configFields, readCommonConfig } from './config.ts';
import { decoder } from './decoder.ts';
import { readUniformPositions } from './sliding-windows.ts';

/** Of transformers' LlamaConfig. */
const DEFAULTS = { max_position_embeddings: 2048, rms_norm_eps: 1e-6 };

/** LLaMA 1, 2 and 3 and SmolLM: RMSNorm, rotary embedding, grouped-query attention, SwiGLU; biases where config or checkpoint have them. */
export function llama(checkpoint: Checkpoint): Architecture {
  const fields = configFields(checkpoint, DEFAULTS);
  const { config, activation, positions } = readCommonConfig(checkpoint, fields, 'llama');
  return decoder({
    config,
    activation,
    ...readBiases(checkpoint, fields, LLAMA_TENSORS),
    positions: readUniformPositions(fields, config.layers, positions),
  });
}
