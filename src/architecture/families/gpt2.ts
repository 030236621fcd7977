import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Architecture } from '../architecture.ts';
import type { Rename, Source } from '../canonical.ts';
import { configFields, readCommonConfig } from '../config.ts';
import { learnedPositionDecoder } from './classic.ts';
import { CLASSIC_BIASES } from './classic-tensors.ts';

/** Of transformers' GPT2Config. */
const DEFAULTS = {
  n_positions: 1024,
  n_embd: 768,
  n_layer: 12,
  n_head: 12,
  activation_function: 'gelu_new',
  layer_norm_epsilon: 1e-5,
  tie_word_embeddings: true,
};

const ALIASES = {
  max_position_embeddings: 'n_positions',
  hidden_size: 'n_embd',
  num_hidden_layers: 'n_layer',
  num_attention_heads: 'n_head',
  intermediate_size: 'n_inner',
  hidden_act: 'activation_function',
  rms_norm_eps: 'layer_norm_epsilon',
};

/** GPT-2 (Radford et al. 2019): layer norms, learned positions, multi-head attention and an MLP with GELU, biases everywhere. */
export function gpt2(checkpoint: Checkpoint): Architecture {
  const { n_inner, ...stated } = checkpoint.config;
  const width = typeof stated.n_embd === 'number' ? stated.n_embd : DEFAULTS.n_embd;
  const whole = { ...checkpoint, config: { ...stated, n_inner: n_inner ?? 4 * width } };
  const fields = configFields(whole, DEFAULTS, ALIASES);
  const common = readCommonConfig(whole, fields, 'gpt2');
  return learnedPositionDecoder(checkpoint, fields, common, CLASSIC_BIASES);
}

/** The layers' modules under LLaMA's names. */
const MODULES: Readonly<Record<string, string>> = {
  ln_1: 'input_layernorm',
  ln_2: 'post_attention_layernorm',
  'attn.c_proj': 'self_attn.o_proj',
  'mlp.c_fc': 'mlp.up_proj',
  'mlp.c_proj': 'mlp.down_proj',
};
const ENDS: Readonly<Record<string, string>> = {
  'wte.weight': 'model.embed_tokens.weight',
  'wpe.weight': 'model.embed_positions.weight',
  'ln_f.weight': 'model.norm.weight',
  'ln_f.bias': 'model.norm.bias',
};

/** GPT-2's linear layers are stored as [inputs, outputs], and query, key and value in one. */
export const gpt2Names: Rename = ({ name, shape }) => {
  const [, end = ''] = /^(?:transformer\.)?(\w+\.\w+)$/.exec(name) ?? [];
  if (ENDS[end] !== undefined) return [[ENDS[end], { tensor: name }]];
  const [, layer = '', module = '', part = ''] =
    /^(?:transformer\.)?h\.(\d+)\.(ln_[12]|(?:attn|mlp)\.c_\w+)\.(weight|bias)$/.exec(name) ?? [];
  const transposed = shape.length === 2;
  const source = (rows?: Source['rows']): Source => ({
    tensor: name,
    ...(transposed && { transposed }),
    ...(rows && { rows }),
  });
  if (module === 'attn.c_attn') {
    const size = (shape.at(-1) ?? 0) / 3;
    return (['q', 'k', 'v'] as const).map(
      (letter, index) =>
        [
          `model.layers.${layer}.self_attn.${letter}_proj.${part}`,
          source([{ start: index * size, end: (index + 1) * size }]),
        ] as const,
    );
  }
  const known = MODULES[module];
  return known === undefined ? undefined : [[`model.layers.${layer}.${known}.${part}`, source()]];
};
