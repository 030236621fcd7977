import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { Architecture } from './architecture.ts';
import { readBiases } from './biases.ts';
import { type BlockTensors, LLAMA_TENSORS } from './block-weights.ts';
import { configFields, readCommonConfig } from './config.ts';
import { decoder } from './decoder.ts';
import { readUniformPositions, readWindow } from './sliding-windows.ts';

/** Of transformers' Phi3Config. */
const DEFAULTS = { max_position_embeddings: 4096, original_max_position_embeddings: 4096, rms_norm_eps: 1e-5 };

const QUERY_KEY_VALUE = 'self_attn.qkv_proj.weight';
const GATE_UP = 'mlp.gate_up_proj.weight';

const TENSORS: BlockTensors = {
  ...LLAMA_TENSORS,
  'attention.query': QUERY_KEY_VALUE,
  'attention.key': QUERY_KEY_VALUE,
  'attention.value': QUERY_KEY_VALUE,
  'mlp.gate': GATE_UP,
  'mlp.up': GATE_UP,
};

/**
 * Phi-3, 3.5 and 4 mini (arXiv 2404.14219): LLaMA with query, key and value in one tensor and gate and up in another. With LongRoPE
 * scaling only sequences up to the original length are computed.
 */
export function phi3(checkpoint: Checkpoint): Architecture {
  const fields = configFields(checkpoint, DEFAULTS);
  const { config, activation, positions } = readCommonConfig(checkpoint, fields, 'phi3');
  return decoder({
    config,
    activation,
    ...readBiases(checkpoint, fields, TENSORS),
    positions: readUniformPositions(fields, config.layers, { ...positions, window: readWindow(fields) }),
  });
}
