import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { Architecture } from './architecture.ts';
import { readBiases } from './biases.ts';
import { type BlockTensors, QUERY_KEY_NORMS } from './block-weights.ts';
import { configFields, readCommonConfig } from './config.ts';
import { decoder } from './decoder.ts';
import { GEMMA_TENSORS } from './families/gemma.ts';
import { readLocalRotation } from './local-rotation.ts';
import { readMixedPositions, readWindow } from './sliding-windows.ts';

/** Of transformers' Gemma3TextConfig. */
const DEFAULTS = {
  num_attention_heads: 8,
  num_key_value_heads: 4,
  head_dim: 256,
  hidden_activation: 'gelu_pytorch_tanh',
  max_position_embeddings: 131_072,
  rms_norm_eps: 1e-6,
  rope_theta: 1_000_000,
  rope_local_base_freq: 10_000,
  query_pre_attn_scalar: 256,
  sliding_window: 4096,
};

const TENSORS: BlockTensors = { ...GEMMA_TENSORS, ...QUERY_KEY_NORMS };

/**
 * Gemma 3, text (arXiv 2503.19786): norms stored as their difference from one, norms of queries and keys and of what each module adds, a
 * gate with GELU, a scaled embedding; all but every sixth layer look through a window, with a rotary base of their own.
 */
export function gemma3(checkpoint: Checkpoint): Architecture {
  const fields = configFields(checkpoint, DEFAULTS);
  const { config, activation, positions } = readCommonConfig(checkpoint, fields, 'gemma3_text', 'full_attention');
  const pattern = fields.integer(
    fields.has('sliding_window_pattern') ? 'sliding_window_pattern' : '_sliding_window_pattern',
    1024,
    6,
  );
  const window = readWindow(fields);
  const sliding = window === undefined ? undefined : { ...readLocalRotation(checkpoint, fields, positions), window };
  return decoder({
    config,
    activation,
    embeddingScale: Math.sqrt(config.hiddenSize),
    attentionScale: fields.positive('query_pre_attn_scalar') ** -0.5,
    normOffset: 1,
    ...readBiases(checkpoint, fields, TENSORS),
    positions: readMixedPositions(fields, config.layers, positions, sliding, (layer) => (layer + 1) % pattern !== 0),
  });
}
