import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Architecture } from '../architecture.ts';
import { readBiases } from '../biases.ts';
import { type BlockTensors, LLAMA_TENSORS } from '../block-weights.ts';
import { configFields, readCommonConfig } from '../config.ts';
import { decoder } from '../decoder.ts';
import { readUniformPositions } from '../sliding-windows.ts';

/** Of transformers' GlmConfig and Glm4Config. */
const DEFAULTS = {
  num_key_value_heads: 2,
  head_dim: 128,
  max_position_embeddings: 131_072,
  rms_norm_eps: 0.00000015625,
  tie_word_embeddings: false,
  partial_rotary_factor: 0.5,
  attention_bias: true,
};

const GATE_UP = 'mlp.gate_up_proj.weight';

const TENSORS: BlockTensors = { ...LLAMA_TENSORS, 'mlp.gate': GATE_UP, 'mlp.up': GATE_UP };

/** GLM-4 (arXiv 2406.12793), the first: LLaMA with biases of queries, keys and values, half of each head's channels turned in pairs, gate and up in one tensor. */
export function glm(checkpoint: Checkpoint): Architecture {
  return glmOf(checkpoint, 'glm', TENSORS);
}

/** GLM-4-0414: the same with norms of what each module adds. */
export function glm4(checkpoint: Checkpoint): Architecture {
  return glmOf(checkpoint, 'glm4', {
    ...TENSORS,
    'attention.output.norm': 'post_self_attn_layernorm.weight',
    'mlp.down.norm': 'post_mlp_layernorm.weight',
  });
}

function glmOf(checkpoint: Checkpoint, architecture: string, tensors: BlockTensors): Architecture {
  const fields = configFields(checkpoint, DEFAULTS);
  const { config, activation, positions } = readCommonConfig(checkpoint, fields, architecture);
  // The output projection has none where the others do.
  const asked = fields.boolean('attention_bias', true)
    ? (['attention.query.bias', 'attention.key.bias', 'attention.value.bias'] as const)
    : [];
  return decoder({
    config,
    activation,
    rotation: 'pairs',
    ...readBiases(checkpoint, fields, tensors, asked),
    positions: readUniformPositions(fields, config.layers, positions),
  });
}
