import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Architecture } from '../architecture.ts';
import { readBiases } from '../biases.ts';
import type { Rename } from '../canonical.ts';
import { configFields, readCommonConfig } from '../config.ts';
import { decoder } from '../decoder.ts';
import { readUniformPositions } from '../sliding-windows.ts';
import { CLASSIC_BIASES, CLASSIC_TENSORS, NORM_BIASES } from './classic-tensors.ts';

/** Of transformers' GPTNeoXConfig. */
const DEFAULTS = {
  hidden_act: 'gelu',
  max_position_embeddings: 2048,
  layer_norm_eps: 1e-5,
  tie_word_embeddings: false,
  rotary_pct: 0.25,
  rotary_emb_base: 10_000,
  attention_bias: true,
  use_parallel_residual: true,
};

const ALIASES = { rms_norm_eps: 'layer_norm_eps', rope_theta: 'rotary_emb_base', partial_rotary_factor: 'rotary_pct' };

/** GPT-NeoX (arXiv 2204.06745) and Pythia: attention and MLP side by side, each behind its own layer norm, a quarter of each head's channels turned. */
export function neox(checkpoint: Checkpoint): Architecture {
  const fields = configFields(checkpoint, DEFAULTS, ALIASES);
  const { config, activation, positions } = readCommonConfig(checkpoint, fields, 'gpt_neox');
  const asked = fields.boolean('attention_bias', true)
    ? CLASSIC_BIASES
    : CLASSIC_BIASES.filter((bias) => bias.startsWith('mlp'));
  const { tensors, required } = readBiases(checkpoint, fields, CLASSIC_TENSORS, asked);
  return decoder({
    config,
    activation,
    norm: 'layer',
    parallel: fields.boolean('use_parallel_residual', true),
    tensors,
    required: [...required, ...NORM_BIASES],
    positions: readUniformPositions(fields, config.layers, positions),
  });
}

const MODULES: Readonly<Record<string, string>> = {
  input_layernorm: 'input_layernorm',
  post_attention_layernorm: 'post_attention_layernorm',
  'attention.dense': 'self_attn.o_proj',
  'mlp.dense_h_to_4h': 'mlp.up_proj',
  'mlp.dense_4h_to_h': 'mlp.down_proj',
};
const ENDS: Readonly<Record<string, string>> = {
  'gpt_neox.embed_in.weight': 'model.embed_tokens.weight',
  'gpt_neox.final_layer_norm.weight': 'model.norm.weight',
  'gpt_neox.final_layer_norm.bias': 'model.norm.bias',
  'embed_out.weight': 'lm_head.weight',
};

/** Query, key and value lie in one tensor, head by head. */
export function neoxNames({ config }: Checkpoint): Rename {
  const heads = Number(config.num_attention_heads);
  return ({ name, shape }) => {
    const end = ENDS[name];
    if (end !== undefined) return [[end, { tensor: name }]];
    const [, layer = '', module = '', part = ''] =
      /^gpt_neox\.layers\.(\d+)\.([\w.]+)\.(weight|bias)$/.exec(name) ?? [];
    if (module === 'attention.query_key_value') {
      const size = (shape[0] ?? 0) / (3 * heads);
      return (['q', 'k', 'v'] as const).map((letter, index) => {
        const rows = Array.from({ length: heads }, (_, head) => ({
          start: (3 * head + index) * size,
          end: (3 * head + index + 1) * size,
        }));
        return [`model.layers.${layer}.self_attn.${letter}_proj.${part}`, { tensor: name, rows }] as const;
      });
    }
    const known = MODULES[module];
    return known === undefined ? undefined : [[`model.layers.${layer}.${known}.${part}`, { tensor: name }]];
  };
}
