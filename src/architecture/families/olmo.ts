import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Architecture } from '../architecture.ts';
import { readBiases } from '../biases.ts';
import { type BlockTensors, LLAMA_TENSORS } from '../block-weights.ts';
import { configFields, readCommonConfig } from '../config.ts';
import { decoder } from '../decoder.ts';
import { readLocalRotation } from '../local-rotation.ts';
import { readMixedPositions, readUniformPositions, readWindow } from '../sliding-windows.ts';

/** Of transformers' Olmo2Config and Olmo3Config. */
const DEFAULTS = { max_position_embeddings: 2048, rms_norm_eps: 1e-5, tie_word_embeddings: false, rope_theta: 10_000 };

const { 'attention.norm': _, 'mlp.norm': __, ...UNNORMED } = LLAMA_TENSORS;

/** Modules read the stream as it is; what they add is normalised, and queries and keys are over all heads at once. */
const TENSORS: BlockTensors = {
  ...UNNORMED,
  'attention.query.joint.norm': 'self_attn.q_norm.weight',
  'attention.key.joint.norm': 'self_attn.k_norm.weight',
  'attention.output.norm': 'post_attention_layernorm.weight',
  'mlp.down.norm': 'post_feedforward_layernorm.weight',
};

/**
 * OLMo 2 (arXiv 2501.00656): LLaMA with norms behind the modules, not before them, and of all queries and all keys. Their mean square runs over all heads, so that
 * none can be removed without changing the others: discovery offers neurons only.
 */
export function olmo2(checkpoint: Checkpoint): Architecture {
  const fields = configFields(checkpoint, DEFAULTS);
  const { config, activation, positions } = readCommonConfig(checkpoint, fields, 'olmo2');
  return decoder({
    config,
    activation,
    ...readBiases(checkpoint, fields, TENSORS),
    positions: readUniformPositions(fields, config.layers, positions),
  });
}

/** OLMo 3: OLMo 2 in which all but every fourth layer look through a window, and only the others have stretched rotations. */
export function olmo3(checkpoint: Checkpoint): Architecture {
  const fields = configFields(
    checkpoint,
    { ...DEFAULTS, rope_theta: 500_000, sliding_window: 4096 },
    { rope_local_base_freq: 'rope_theta' },
  );
  const { config, activation, positions } = readCommonConfig(checkpoint, fields, 'olmo3', 'full_attention');
  const window = readWindow(fields);
  const sliding = window === undefined ? undefined : { ...readLocalRotation(checkpoint, fields, positions), window };
  return decoder({
    config,
    activation,
    ...readBiases(checkpoint, fields, TENSORS),
    positions: readMixedPositions(fields, config.layers, positions, sliding, (layer) => (layer + 1) % 4 !== 0),
  });
}
