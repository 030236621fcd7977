import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { isRecord } from '../../checkpoint/files/json.ts';
import type { Architecture } from '../architecture.ts';
import { readBiases } from '../biases.ts';
import { LLAMA_TENSORS } from '../block-weights.ts';
import { configFields, readCommonConfig } from '../config.ts';
import { decoder } from '../decoder.ts';
import { readUniformPositions, readWindow } from '../sliding-windows.ts';

/** Of transformers' Ministral3Config. */
const DEFAULTS = {
  num_key_value_heads: 8,
  head_dim: 128,
  max_position_embeddings: 262_144,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: false,
};

const ROPE = {
  rope_type: 'yarn',
  rope_theta: 1_000_000,
  factor: 16,
  original_max_position_embeddings: 16_384,
  beta_fast: 32,
  beta_slow: 1,
  mscale_all_dim: 1,
  mscale: 1,
  llama_4_scaling_beta: 0.1,
};

/**
 * Ministral 3: Mistral with YaRN, and queries times 1 + beta log(1 + floor(position / original length)). That is 1 up to the original length, and only sequences so long
 * are computed.
 */
export function ministral3(checkpoint: Checkpoint): Architecture {
  const { rope_parameters: stated, rope_scaling: older, ...rest } = checkpoint.config;
  const usual = { ...ROPE, rope_theta: rest.rope_theta ?? ROPE.rope_theta };
  const given: Readonly<Record<string, unknown>> = isRecord(stated) ? stated : isRecord(older) ? older : usual;
  const { llama_4_scaling_beta: beta, max_position_embeddings: _, ...rope } = given;
  const plain = { ...checkpoint, config: { ...rest, rope_parameters: rope } };
  const fields = configFields(plain, DEFAULTS);
  const { config, activation, positions } = readCommonConfig(plain, fields, 'ministral3');
  const original = fields.object('rope_parameters')?.integer('original_max_position_embeddings', 1 << 30, 16_384);
  const longest = beta
    ? Math.min(config.maximumPositions, original ?? config.maximumPositions)
    : config.maximumPositions;
  return decoder({
    config: { ...config, maximumPositions: longest },
    activation,
    ...readBiases(checkpoint, fields, LLAMA_TENSORS),
    positions: readUniformPositions(fields, config.layers, { ...positions, window: readWindow(fields) }),
  });
}
