import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { Architecture } from './architecture.ts';
import { type BlockWeight, LLAMA_TENSORS, QUERY_KEY_VALUE_BIASES } from './block-weights.ts';
import { configFields, readCommonConfig } from './config.ts';
import { decoder } from './decoder.ts';

/** Of transformers' LlamaConfig. */
const DEFAULTS = { max_position_embeddings: 2048, rms_norm_eps: 1e-6 };

const MLP_BIASES = { 'mlp.gate.bias': 'mlp.gate_proj.bias', 'mlp.up.bias': 'mlp.up_proj.bias' } as const;

/** LLaMA 1, 2 and 3 and SmolLM: RMSNorm, rotary embedding, grouped-query attention, SwiGLU; biases where the config asks for them. */
export function llama(checkpoint: Checkpoint): Architecture {
  const fields = configFields(checkpoint, DEFAULTS);
  const { config, activation, positions } = readCommonConfig(checkpoint, fields, 'llama');
  const attentionBias = fields.boolean('attention_bias', false);
  const mlpBias = fields.boolean('mlp_bias', false);
  const required: BlockWeight[] = [
    ...(attentionBias ? (['attention.output.bias'] as const) : []),
    ...(mlpBias ? (['mlp.down.bias'] as const) : []),
  ];
  return decoder({
    config,
    activation,
    required,
    tensors: { ...LLAMA_TENSORS, ...(attentionBias && QUERY_KEY_VALUE_BIASES), ...(mlpBias && MLP_BIASES) },
    positions: () => positions,
  });
}
