import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Architecture } from '../architecture.ts';
import type { Rename } from '../canonical.ts';
import { configFields, readCommonConfig } from '../config.ts';
import { learnedPositionDecoder } from './classic.ts';
import { CLASSIC_BIASES } from './classic-tensors.ts';

/** Of transformers' OPTConfig. */
const DEFAULTS = {
  max_position_embeddings: 2048,
  activation_function: 'relu',
  tie_word_embeddings: true,
  enable_bias: true,
};

const ALIASES = { intermediate_size: 'ffn_dim', hidden_act: 'activation_function' };

/** No key of the config says it. */
const EPSILON = 1e-5;

/** OPT (arXiv 2205.01068) but for its size of 350M: layer norms before the modules, learned positions, an MLP with ReLU, biases everywhere. */
export function opt(checkpoint: Checkpoint): Architecture {
  const fields = configFields(checkpoint, DEFAULTS, ALIASES);
  const common = readCommonConfig(checkpoint, fields, 'opt');
  if (fields.has('word_embed_proj_dim') && fields.integer('word_embed_proj_dim', 1 << 20) !== common.config.hiddenSize)
    throw fields.unsupported('word_embed_proj_dim', `an embedding of another width than hidden_size is not supported`);
  const asked = fields.boolean('enable_bias', true) ? CLASSIC_BIASES : [];
  const config = { ...common.config, normEpsilon: EPSILON };
  return learnedPositionDecoder(checkpoint, fields, { ...common, config }, asked);
}

const MODULES: Readonly<Record<string, string>> = {
  self_attn_layer_norm: 'input_layernorm',
  final_layer_norm: 'post_attention_layernorm',
  'self_attn.q_proj': 'self_attn.q_proj',
  'self_attn.k_proj': 'self_attn.k_proj',
  'self_attn.v_proj': 'self_attn.v_proj',
  'self_attn.out_proj': 'self_attn.o_proj',
  fc1: 'mlp.up_proj',
  fc2: 'mlp.down_proj',
};
const ENDS: Readonly<Record<string, string>> = {
  'embed_tokens.weight': 'model.embed_tokens.weight',
  'final_layer_norm.weight': 'model.norm.weight',
  'final_layer_norm.bias': 'model.norm.bias',
};

/** Rows of the positions that are no position's: what fairseq kept for padding. */
const RESERVED = 2;

export const optNames: Rename = ({ name, shape }) => {
  const [, inside = ''] = /^(?:model\.)?decoder\.(.+)$/.exec(name) ?? [];
  if (ENDS[inside] !== undefined) return [[ENDS[inside], { tensor: name }]];
  if (inside === 'embed_positions.weight') {
    const rows = [{ start: RESERVED, end: shape[0] ?? RESERVED }];
    return [['model.embed_positions.weight', { tensor: name, rows }]];
  }
  const [, layer = '', module = '', part = ''] = /^layers\.(\d+)\.([\w.]+)\.(weight|bias)$/.exec(inside) ?? [];
  const known = MODULES[module];
  return known === undefined ? undefined : [[`model.layers.${layer}.${known}.${part}`, { tensor: name }]];
};
