import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Architecture, DecoderDesign } from '../architecture.ts';
import { readBiases } from '../biases.ts';
import { type BlockTensors, LLAMA_TENSORS } from '../block-weights.ts';
import { configFields, readCommonConfig } from '../config.ts';
import type { ConfigFields } from '../config-fields.ts';
import { decoder } from '../decoder.ts';
import { withoutRotation } from '../rope.ts';
import { readUniformPositions } from '../sliding-windows.ts';

/** Of transformers' GraniteConfig and GraniteMoeHybridConfig. */
const DEFAULTS = {
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: false,
  embedding_multiplier: 1,
  attention_multiplier: 1,
  residual_multiplier: 1,
  logits_scaling: 1,
};

/** Granite 3: LLaMA with a factor on the embedding, on products of queries and keys, on what modules add, and a divisor of the logits. */
export function granite(checkpoint: Checkpoint): Architecture {
  const fields = configFields(checkpoint, DEFAULTS);
  const { config, activation, positions } = readCommonConfig(checkpoint, fields, 'granite');
  return decoder({
    config,
    activation,
    ...readFactors(fields),
    ...readBiases(checkpoint, fields, LLAMA_TENSORS),
    positions: readUniformPositions(fields, config.layers, positions),
  });
}

const GATE_UP = 'shared_mlp.input_linear.weight';

const HYBRID_TENSORS: BlockTensors = {
  ...LLAMA_TENSORS,
  'mlp.gate': GATE_UP,
  'mlp.up': GATE_UP,
  'mlp.down': 'shared_mlp.output_linear.weight',
  'mlp.down.bias': 'shared_mlp.output_linear.bias',
};

/**
 * Granite 4 where it is dense: all layers attend and there are no experts. Gate and up lie in one tensor; positions are rotary, or there are none
 * (`position_embedding_type`).
 */
export function graniteMoeHybrid(checkpoint: Checkpoint): Architecture {
  const fields = configFields(
    checkpoint,
    { ...DEFAULTS, shared_intermediate_size: 1024, num_local_experts: 8 },
    { intermediate_size: 'shared_intermediate_size' },
  );
  const { config, activation, positions } = readCommonConfig(checkpoint, fields, 'granitemoehybrid');
  if (fields.integer('num_local_experts', 1 << 20, undefined, 0) > 0)
    throw fields.unsupported('num_local_experts', 'mixtures of experts are not supported in this architecture', 8);
  const kinds = { attention: true, full_attention: true } as const;
  // Absent, it says that every layer is a state-space one.
  if (!fields.choices('layer_types', config.layers, kinds))
    throw fields.wrong('layer_types', `a list of ${config.layers} words "attention"`);
  const isRotary = fields.choice('position_embedding_type', { rope: true, nope: false }, 'nope');
  const seen = isRotary ? positions : withoutRotation(positions);
  return decoder({
    config,
    activation,
    ...readFactors(fields),
    ...readBiases(checkpoint, fields, HYBRID_TENSORS),
    positions: () => seen,
  });
}

function readFactors(fields: ConfigFields): Partial<DecoderDesign> {
  return {
    embeddingScale: fields.positive('embedding_multiplier'),
    attentionScale: fields.positive('attention_multiplier'),
    residualScale: fields.positive('residual_multiplier'),
    logitScale: 1 / fields.positive('logits_scaling'),
  };
}
