import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Architecture } from '../architecture.ts';
import { readBiases } from '../biases.ts';
import { type BlockTensors, LLAMA_TENSORS } from '../block-weights.ts';
import { configFields, readCommonConfig } from '../config.ts';
import { decoder } from '../decoder.ts';
import { readMixedPositions, readUniformPositions, readWindow } from '../sliding-windows.ts';

/** Of transformers' GemmaConfig. */
const DEFAULTS = {
  num_key_value_heads: 16,
  head_dim: 256,
  hidden_act: 'gelu_pytorch_tanh',
  max_position_embeddings: 8192,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: true,
};

/** What the first configs call GELU is its approximation by tanh, with which the model was trained. */
const trained = (value: unknown) => (value === 'gelu' ? 'gelu_pytorch_tanh' : value);

/** Gemma (arXiv 2403.08295): LLaMA with norms stored as their difference from one, a gate with GELU and a scaled embedding. */
export function gemma(checkpoint: Checkpoint): Architecture {
  const words = Object.fromEntries(
    (['hidden_act', 'hidden_activation'] as const).flatMap((key) => {
      const value = trained(checkpoint.config[key] ?? undefined);
      return value === undefined ? [] : [[key, value]];
    }),
  );
  const { hidden_act: _, hidden_activation: __, ...others } = checkpoint.config;
  const fields = configFields({ ...checkpoint, config: { ...others, ...words } }, DEFAULTS);
  const { config, activation, positions } = readCommonConfig(checkpoint, fields, 'gemma');
  return decoder({
    config,
    activation,
    embeddingScale: Math.sqrt(config.hiddenSize),
    normOffset: 1,
    ...readBiases(checkpoint, fields, LLAMA_TENSORS),
    positions: readUniformPositions(fields, config.layers, positions),
  });
}

/** Of transformers' Gemma2Config. */
const DEFAULTS_2 = {
  num_key_value_heads: 4,
  head_dim: 256,
  hidden_activation: 'gelu_pytorch_tanh',
  max_position_embeddings: 8192,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: true,
  query_pre_attn_scalar: 256,
  sliding_window: 4096,
};

/** Four norms around the two modules; the second is called what is LLaMA's name of the third. */
export const GEMMA_TENSORS = {
  ...LLAMA_TENSORS,
  'attention.output.norm': 'post_attention_layernorm.weight',
  'mlp.norm': 'pre_feedforward_layernorm.weight',
  'mlp.down.norm': 'post_feedforward_layernorm.weight',
} as const satisfies BlockTensors;

/** Gemma 2 (arXiv 2408.00118): Gemma with norms of what each module adds, soft caps of attention and logits, and a window in every other layer. */
export function gemma2(checkpoint: Checkpoint): Architecture {
  // A cap that is null is none; one that is absent has its default.
  const caps = { attn_logit_softcapping: 50, final_logit_softcapping: 30 };
  const fields = configFields(checkpoint, { ...DEFAULTS_2, ...caps });
  const { config, activation, positions } = readCommonConfig(checkpoint, fields, 'gemma2');
  const cap = (key: keyof typeof caps) => (fields.has(key) ? fields.positive(key) : undefined);
  const window = readWindow(fields);
  return decoder({
    config,
    activation,
    embeddingScale: Math.sqrt(config.hiddenSize),
    attentionScale: fields.positive('query_pre_attn_scalar') ** -0.5,
    attentionCap: cap('attn_logit_softcapping'),
    logitCap: cap('final_logit_softcapping'),
    normOffset: 1,
    ...readBiases(checkpoint, fields, GEMMA_TENSORS),
    positions: readMixedPositions(
      fields,
      config.layers,
      positions,
      window === undefined ? undefined : { ...positions, window },
      (layer) => layer % 2 === 0,
    ),
  });
}
