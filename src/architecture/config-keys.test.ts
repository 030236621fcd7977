import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { UnsupportedError } from '../errors.ts';
import type { Architecture } from './architecture.ts';
import type { KeyRule } from './config-keys.ts';
import { KEY_RULES } from './family-keys.ts';
import { architectureFor } from './index.ts';
import { type FixtureName, openFixture } from './testing/fixture.ts';

type Changes = Readonly<Record<string, unknown>>;

/** A fixture of each architecture. */
const FIXTURE: Readonly<Record<string, FixtureName>> = {
  llama: 'llama',
  mistral: 'mistral',
  qwen2: 'qwen2',
  qwen3: 'qwen3',
  gemma3_text: 'gemma3',
  phi3: 'phi3',
  lfm2: 'lfm2',
  lfm2_moe: 'lfm2-moe',
  qwen3_moe: 'qwen3-moe',
  qwen3_5_text: 'qwen3-5',
  gpt_oss: 'gpt-oss',
  granite: 'granite',
  granitemoehybrid: 'granite4',
  smollm3: 'smollm3',
  gemma: 'gemma',
  gemma2: 'gemma2',
  olmo2: 'olmo2',
  olmo3: 'olmo3',
  glm: 'glm',
  glm4: 'glm4',
  ernie4_5: 'ernie4_5',
  hunyuan_v1_dense: 'hunyuan',
  stablelm: 'stablelm',
  starcoder2: 'starcoder2',
  phi: 'phi',
  ministral3: 'ministral3',
  gpt2: 'gpt2',
  gpt_neox: 'pythia',
  opt: 'opt',
};

/** Another value for each key that is honoured, with which something else is computed, or the config is refused. */
const OTHER: Changes = {
  model_type: 'bloom',
  vocab_size: 49,
  hidden_size: 64,
  intermediate_size: 25,
  num_hidden_layers: 1,
  num_attention_heads: 8,
  num_key_value_heads: 1,
  head_dim: 4,
  hidden_act: 'relu',
  hidden_activation: 'relu',
  max_position_embeddings: 1000,
  original_max_position_embeddings: 11,
  rms_norm_eps: 0.5,
  rope_theta: 77,
  rope_scaling: { type: 'linear', factor: 3, rope_theta: 77 },
  rope_parameters: { rope_type: 'linear', factor: 3, rope_theta: 77 },
  partial_rotary_factor: 0.75,
  attention_bias: true,
  mlp_bias: true,
  layer_types: ['odd', 'odd'],
  bos_token_id: 7,
  eos_token_id: 7,
  espalier: {
    layers: [
      { keyValueHeads: 1, neurons: 2 },
      { keyValueHeads: 1, neurons: 2 },
    ],
  },
  quantization_config: { quant_method: 'awq' },
  quantization: { group_size: 64, bits: 4 },
  sliding_window: 3,
  use_sliding_window: true,
  max_window_layers: 1,
  sliding_window_pattern: 1,
  _sliding_window_pattern: 1,
  rope_local_base_freq: 77,
  query_pre_attn_scalar: 5,
  norm_eps: 0.5,
  conv_L_cache: 5,
  conv_bias: true,
  full_attn_idxs: [0],
  block_auto_adjust_ff_dim: false,
  block_ff_dim: 60,
  block_ffn_dim_multiplier: 2,
  block_multiple_of: 16,
  tie_embedding: false,
  num_experts: 3,
  num_local_experts: 4,
  num_experts_per_tok: 1,
  moe_intermediate_size: 5,
  norm_topk_prob: false,
  decoder_sparse_step: 2,
  mlp_only_layers: [1],
  num_dense_layers: 2,
  use_expert_bias: false,
  routed_scaling_factor: 3,
  swiglu_alpha: 2,
  swiglu_limit: 3,
  attn_logit_softcapping: 7,
  final_logit_softcapping: 7,
  embedding_multiplier: 7,
  attention_multiplier: 7,
  residual_multiplier: 7,
  logits_scaling: 7,
  shared_intermediate_size: 25,
  position_embedding_type: 'nope',
  no_rope_layers: [1, 1],
  no_rope_layer_interval: 1,
  layer_norm_eps: 0.5,
  norm_epsilon: 0.5,
  use_bias: false,
  use_qkv_bias: false,
  use_parallel_residual: true,
  n_positions: 65,
  n_embd: 64,
  n_layer: 1,
  n_head: 8,
  n_inner: 25,
  ffn_dim: 25,
  activation_function: 'silu',
  layer_norm_epsilon: 0.5,
  enable_bias: false,
  word_embed_proj_dim: 16,
  rotary_pct: 0.75,
  rotary_emb_base: 77,
  full_attention_interval: 1,
  linear_conv_kernel_dim: 5,
  linear_key_head_dim: 6,
  linear_value_head_dim: 5,
  linear_num_key_heads: 1,
  linear_num_value_heads: 4,
};

/** What else has to be set for a key to count. */
const BESIDE: Changes = {
  original_max_position_embeddings: {
    rope_parameters: null,
    rope_scaling: { rope_type: 'yarn', factor: 4, truncate: false },
    max_position_embeddings: 256,
  },
  max_position_embeddings: { rope_parameters: null },
  rope_scaling: { rope_parameters: null },
  rope_parameters: { rope_scaling: null },
  rope_theta: { rope_scaling: null, rope_parameters: null },
  partial_rotary_factor: { rope_scaling: null, rope_parameters: null },
  sliding_window: { layer_types: null },
  use_sliding_window: { max_window_layers: 0, layer_types: null, use_sliding_window: false },
  max_window_layers: { use_sliding_window: true, layer_types: null, max_window_layers: 0 },
  sliding_window_pattern: { layer_types: null },
  _sliding_window_pattern: { layer_types: null, sliding_window_pattern: null },
  full_attention_interval: { layer_types: null },
  hidden_act: { hidden_activation: null },
  quantization: { quantization_config: null },
  num_local_experts: { num_experts: undefined },
  intermediate_size: { block_ff_dim: null, block_auto_adjust_ff_dim: false },
  hidden_activation: { hidden_act: null },
  rotary_pct: { rope_scaling: null, rope_parameters: null },
  rotary_emb_base: { rope_scaling: null, rope_parameters: null },
};

const QWEN_WINDOWS: Changes = { use_sliding_window: true, max_window_layers: 0 };

/** What transformers takes where a key is absent (scripts/fixtures/config_defaults.py). */
const defaults = JSON.parse(
  await readFile(new URL('fixtures/config-defaults.json', import.meta.url), 'utf8'),
) as Record<string, Changes>;

/** All that an architecture computes, as a digest; the error where it refuses. */
function computed(checkpoint: Checkpoint, config: Changes): string {
  let architecture: Architecture;
  try {
    architecture = architectureFor({ ...checkpoint, config });
  } catch (error) {
    return `${error}`;
  }
  const layers = architecture.config.layerWidths.map((_, layer) => [
    architecture.positions(layer),
    architecture.blockWeights(layer),
  ]);
  const ends = [architecture.embedWeights(), architecture.headWeights()];
  const text = JSON.stringify([architecture.config, architecture.design, layers, ends], (_, value: unknown) =>
    value === undefined ? 'undefined' : ArrayBuffer.isView(value) ? Array.from(value as Float64Array) : value,
  );
  return createHash('sha256').update(text).digest('hex');
}

const keysWith = (rules: Readonly<Record<string, KeyRule>>, wanted: (rule: KeyRule) => boolean) =>
  Object.keys(rules).filter((key) => wanted(rules[key] as KeyRule));

const fixtures = await Promise.all(
  Object.entries(KEY_RULES).map(
    async ([architecture, rules]) =>
      [architecture, rules, await openFixture(FIXTURE[architecture] as FixtureName)] as const,
  ),
);

describe.each(fixtures)('of %s', (architecture, rules, { checkpoint, savedConfig }) => {
  const { config } = checkpoint;
  const plain = computed(checkpoint, config);

  test('every key that transformers writes is known', () => {
    expect(Object.keys(savedConfig).filter((key) => !Object.hasOwn(rules, key))).toEqual([]);
    expect(Object.keys(config).filter((key) => !Object.hasOwn(rules, key))).toEqual([]);
  });

  test.each(keysWith(rules, (rule) => rule === 'honoured').filter((key) => key !== 'tie_word_embeddings'))(
    '%s is honoured',
    (key) => {
      const switchedOn = key === 'sliding_window' && rules.use_sliding_window === 'honoured' ? QWEN_WINDOWS : {};
      // Of a quarter of the channels too few frequencies are made to tell.
      const turned = key.startsWith('original') && architecture === 'qwen3_5_text' ? { partial_rotary_factor: 1 } : {};
      const base = { ...config, ...(BESIDE[key] as Changes | undefined), ...switchedOn, ...turned };
      expect(OTHER, key).toHaveProperty([key]);
      const other =
        typeof OTHER[key] === 'boolean'
          ? !((base as Changes)[key] ?? defaults[architecture]?.[key] ?? !OTHER[key])
          : OTHER[key];
      expect(computed(checkpoint, { ...base, [key]: other })).not.toBe(computed(checkpoint, base));
      const { [key]: _, ...without } = base as Record<string, unknown>;
      const byDefault = defaults[architecture] ?? {};
      if (Object.hasOwn(byDefault, key))
        expect(computed(checkpoint, without)).toBe(computed(checkpoint, { ...without, [key]: byDefault[key] }));
    },
  );

  test.each(keysWith(rules, (rule) => rule === 'harmless'))('%s changes nothing', (key) => {
    for (const value of [null, 3, 'word', { a: 1 }, true])
      expect(computed(checkpoint, { ...config, [key]: value })).toBe(plain);
  });

  test.each(keysWith(rules, (rule) => typeof rule === 'object'))(
    '%s is refused unless it says what is assumed',
    (key) => {
      const rule = rules[key] as Extract<KeyRule, object>;
      const { [key]: _, ...without } = config;
      expect(computed(checkpoint, without)).toBe(plain);
      for (const value of [null, ...rule.assumed])
        expect(computed(checkpoint, { ...config, [key]: value })).toBe(plain);
      for (const value of [17, 'word', true, false].filter((each) => !rule.assumed.includes(each))) {
        const refused = () => architectureFor({ ...checkpoint, config: { ...config, [key]: value } });
        expect(refused).toThrow(UnsupportedError);
        expect(refused).toThrow(`config.json: ${key} is ${JSON.stringify(value)}; `);
      }
    },
  );

  test('a tie that the tensors contradict is told', () => {
    const tied = architectureFor(checkpoint).config.tiedEmbedding;
    expect(computed(checkpoint, { ...config, tie_embedding: null, tie_word_embeddings: !tied })).not.toBe(plain);
  });
});

const { checkpoint } = await openFixture('llama');

describe('a key that is not known', () => {
  const withKey = (key: string, value: unknown) =>
    architectureFor({ ...checkpoint, config: { ...checkpoint.config, [key]: value } });

  test.each([
    ['residual_gain_scale', 0.5],
    ['num_shared_layers', 2],
    ['softcap', 30],
    ['attn_out_bias', true],
    ['layer_norm_kind', 'layernorm'],
    ['lora_rank', 8],
  ])('is refused where its name says that it changes what is computed: %s', (key, value) => {
    expect(() => withKey(key, value)).toThrow(
      `config.json: ${key} is ${JSON.stringify(value)}, a key that is not known here, and its name says that it changes what is computed. Remove it from config.json if it does not; else choose another model.`,
    );
    expect(() => withKey(key, null)).not.toThrow();
    expect(() => withKey(key, false)).not.toThrow();
  });

  test.each([
    ['training_run', 'blue'],
    ['time_step_limit', [0, Number.POSITIVE_INFINITY]],
    ['transformers.js_config', { dtype: 'q4' }],
  ])('passes where it does not: %s', (key, value) => expect(() => withKey(key, value)).not.toThrow());

  test('of the rotary embedding is always refused', () => {
    expect(() => withKey('rope_scaling', { ...(checkpoint.config.rope_scaling as object), alpha: 1000 })).toThrow(
      'config.json: rope_scaling.alpha is 1000, a key that is not known here',
    );
  });
});
