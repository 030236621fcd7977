import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Architecture, LayerWidths } from '../architecture.ts';
import { readBiases } from '../biases.ts';
import { type BlockTensors, LLAMA_TENSORS, QUERY_KEY_NORMS } from '../block-weights.ts';
import type { Rename } from '../canonical.ts';
import { configFields, type LayerSizes, readCommonConfig } from '../config.ts';
import type { ConfigFields } from '../config-fields.ts';
import { decoder } from '../decoder.ts';

/** Of transformers' Qwen3_5TextConfig. */
const DEFAULTS = {
  num_attention_heads: 16,
  num_key_value_heads: 4,
  head_dim: 256,
  max_position_embeddings: 32_768,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: false,
  partial_rotary_factor: 0.25,
  attention_bias: false,
  linear_conv_kernel_dim: 4,
  linear_key_head_dim: 128,
  linear_value_head_dim: 128,
  linear_num_key_heads: 16,
  linear_num_value_heads: 32,
};

/** One tensor of files holds, head by head, the query and the gate of what the head gives; here they are two. */
const QUERIES = 'self_attn.query_proj';
const GATES = 'self_attn.gate_proj';

const ATTENTION = {
  ...LLAMA_TENSORS,
  ...QUERY_KEY_NORMS,
  'attention.query': `${QUERIES}.weight`,
  'attention.gate': `${GATES}.weight`,
} as const satisfies BlockTensors;

const { 'mlp.norm': norm, 'mlp.gate': gate, 'mlp.up': up, 'mlp.down': down, 'mlp.down.bias': bias } = LLAMA_TENSORS;

const RECURRENCE: BlockTensors = {
  'recurrence.norm': LLAMA_TENSORS['attention.norm'],
  'recurrence.input': 'linear_attn.in_proj_qkv.weight',
  'recurrence.kernel': 'linear_attn.conv1d.weight',
  'recurrence.gate': 'linear_attn.in_proj_z.weight',
  'recurrence.write': 'linear_attn.in_proj_b.weight',
  'recurrence.decay': 'linear_attn.in_proj_a.weight',
  'recurrence.decay.bias': 'linear_attn.dt_bias',
  'recurrence.rate': 'linear_attn.A_log',
  'recurrence.scale': 'linear_attn.norm.weight',
  'recurrence.output': 'linear_attn.out_proj.weight',
  'mlp.norm': norm,
  'mlp.gate': gate,
  'mlp.up': up,
  'mlp.down': down,
  'mlp.down.bias': bias,
};

const LAYER_TYPES = { full_attention: false, linear_attention: true } as const;

/**
 * Qwen3.5, text: three of four layers have a gated delta net (arXiv 2412.06464), the others attention whose heads are gated by a sigmoid; norms are stored as their difference from one,
 * but that of the delta net's heads.
 */
export function qwen35(checkpoint: Checkpoint): Architecture {
  const given = configFields(checkpoint, DEFAULTS);
  const layers = given.integer('num_hidden_layers', 1024);
  const fields = given.has('layer_types') ? given : given.with({ layer_types: layerTypes(given, layers) });
  const recurs = fields.choices<boolean>('layer_types', layers, LAYER_TYPES) ?? [];
  const dense = ({ keyValueHeads, neurons }: LayerSizes) =>
    recurs.map(
      (recurrent): LayerWidths => (recurrent ? { keyValueHeads: 0, neurons, recurrent } : { keyValueHeads, neurons }),
    );
  const { config, activation, positions } = readCommonConfig(checkpoint, fields, 'qwen3_5_text', undefined, dense);
  if (!recurs.includes(false))
    throw fields.unsupported('layer_types', 'at least one layer must attend (full_attention)');
  if (activation !== 'silu')
    throw fields.unsupported('hidden_act', 'the convolutions of this architecture are computed with silu');
  const recurrence = {
    keyHeads: fields.integer('linear_num_key_heads', 1 << 12),
    valueHeads: fields.integer('linear_num_value_heads', 1 << 12),
    keyDimension: fields.integer('linear_key_head_dim', 1 << 12),
    valueDimension: fields.integer('linear_value_head_dim', 1 << 12),
    kernel: fields.integer('linear_conv_kernel_dim', 64),
  };
  if (recurrence.valueHeads % recurrence.keyHeads !== 0)
    throw fields.wrong('linear_num_value_heads', `a multiple of linear_num_key_heads (${recurrence.keyHeads})`);
  const { tensors, required } = readBiases(checkpoint, fields, ATTENTION);
  return decoder({
    config: { ...config, recurrence },
    activation,
    normOffset: 1,
    tensors,
    recurrence: { tensors: RECURRENCE, has: (layer) => recurs[layer] ?? false },
    required: [...required, 'recurrence.decay.bias'],
    positions: () => positions,
  });
}

/** Every fourth layer attends, or as the config says. */
function layerTypes(fields: ConfigFields, layers: number): string[] {
  const interval = fields.integer('full_attention_interval', 1024, 4);
  return Array.from({ length: layers }, (_, layer) =>
    (layer + 1) % interval === 0 ? 'full_attention' : 'linear_attention',
  );
}

/** Queries and gates in tensors of their own. */
export function qwen35Names({ config }: Checkpoint): Rename {
  const heads = Number(config.num_attention_heads ?? DEFAULTS.num_attention_heads);
  return ({ name, shape }) => {
    const [, prefix = '', part = ''] = /^(model\.layers\.\d+\.)self_attn\.q_proj\.(weight|bias)$/.exec(name) ?? [];
    if (part === '') return undefined;
    const size = (shape[0] ?? 0) / (2 * heads);
    return [QUERIES, GATES].map((tensor, index) => {
      const rows = Array.from({ length: heads }, (_, head) => ({
        start: (2 * head + index) * size,
        end: (2 * head + index + 1) * size,
      }));
      return [`${prefix}${tensor}.${part}`, { tensor: name, rows }] as const;
    });
  };
}
