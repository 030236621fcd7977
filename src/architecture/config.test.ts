import { describe, expect, test } from 'vitest';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { EspalierError, UsageError } from '../errors.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import { architectureFor } from './index.ts';
import { modelOf } from './model.ts';
import { Programs } from './programs.ts';
import { type FixtureName, openFixture } from './testing/fixture.ts';

type Changes = Readonly<Record<string, unknown>>;

async function withConfig(name: FixtureName, changes: Changes): Promise<Checkpoint> {
  const { checkpoint } = await openFixture(name);
  return { ...checkpoint, config: { ...checkpoint.config, ...changes } };
}

const REMEDY = 'Correct config.json or fetch it again.';
const ANOTHER = 'Choose a model without it.';
const llama3 = (changes: Changes) => ({
  rope_scaling: {
    rope_type: 'llama3',
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 32,
    ...changes,
  },
});
const yarn = (changes: Changes) => ({
  rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 16, ...changes },
});

/** Broken configs and what is said about them. */
const BROKEN: readonly (readonly [FixtureName, Changes, string, string])[] = [
  [
    'llama',
    { model_type: undefined },
    'file-format',
    'llama: config.json has no model_type; it must name the architecture, e.g. "llama".',
  ],
  [
    'llama',
    { model_type: 'bloom' },
    'unsupported',
    'llama: the architecture "bloom" is not supported; supported are: llama, lfm2, lfm2_moe, mistral, qwen2, qwen3, qwen3_moe, qwen3_5_text, gemma3_text, ',
  ],
  [
    'llama',
    { model_type: 'bloom' },
    'unsupported',
    'The nearest is opt (OPT): choose a model of that, or of another of these.',
  ],
  ['llama', { model_type: 'granite_speech' }, 'unsupported', 'The nearest is granite (Granite 3)'],
  ['llama', { model_type: 'mamba' }, 'unsupported', 'The nearest is llama (LLaMA'],
  ['llama', { model_type: 'toString' }, 'unsupported', 'the architecture "toString" is not supported'],
  [
    'llama',
    { hidden_size: undefined },
    'file-format',
    `config.json has no hidden_size, which this model's config must state. ${REMEDY}`,
  ],
  [
    'llama',
    { hidden_size: '32' },
    'file-format',
    `config.json: hidden_size is "32"; it must be a whole number from 1 to 1048576. ${REMEDY}`,
  ],
  [
    'llama',
    { hidden_size: 2 ** 40 },
    'file-format',
    `config.json: hidden_size is 1099511627776; it must be a whole number from 1 to 1048576. ${REMEDY}`,
  ],
  [
    'llama',
    { num_hidden_layers: 1e9 },
    'file-format',
    `config.json: num_hidden_layers is 1000000000; it must be a whole number from 1 to 1024. ${REMEDY}`,
  ],
  [
    'llama',
    { num_hidden_layers: 0 },
    'file-format',
    `config.json: num_hidden_layers is 0; it must be a whole number from 1 to 1024. ${REMEDY}`,
  ],
  [
    'llama',
    { vocab_size: 1.5 },
    'file-format',
    `config.json: vocab_size is 1.5; it must be a whole number from 1 to 16777216. ${REMEDY}`,
  ],
  [
    'llama',
    { num_attention_heads: 5 },
    'mismatch',
    'config.json: num_attention_heads 5 is not a multiple of num_key_value_heads 2. Correct one of them.',
  ],
  [
    'llama',
    { num_attention_heads: 6 },
    'mismatch',
    'config.json: hidden_size 32 is not a multiple of num_attention_heads 6. Correct one of them or add head_dim.',
  ],
  [
    'llama',
    { head_dim: 7 },
    'mismatch',
    'config.json: of head_dim 7 the rotary position embedding turns 7 channels (partial_rotary_factor 1); it must be an even number from 2 to 7.',
  ],
  [
    'phi3',
    { partial_rotary_factor: 1.5 },
    'mismatch',
    'config.json: of head_dim 8 the rotary position embedding turns 12 channels (partial_rotary_factor 1.5); it must be an even number from 2 to 8.',
  ],
  [
    'llama',
    { intermediate_size: null },
    'file-format',
    `config.json has no intermediate_size, which this model's config must state. ${REMEDY}`,
  ],
  [
    'llama',
    { rms_norm_eps: -1 },
    'file-format',
    `config.json: rms_norm_eps is -1; it must be a positive number. ${REMEDY}`,
  ],
  [
    'llama',
    { rope_theta: 'high' },
    'file-format',
    `config.json: rope_theta is "high"; it must be a positive number. ${REMEDY}`,
  ],
  [
    'llama',
    { tie_word_embeddings: 1 },
    'file-format',
    `config.json: tie_word_embeddings is 1; it must be true or false. ${REMEDY}`,
  ],
  [
    'llama',
    { attention_bias: 'yes' },
    'file-format',
    `config.json: attention_bias is "yes"; it must be true or false. ${REMEDY}`,
  ],
  [
    'llama',
    { eos_token_id: [2, -1] },
    'file-format',
    `config.json: eos_token_id is [2,-1]; it must be a token id (a whole number from 0) or a list of them. ${REMEDY}`,
  ],
  [
    'llama',
    { hidden_act: 'relu2' },
    'unsupported',
    `config.json: hidden_act is "relu2"; supported are "silu", "swish", "gelu", "gelu_pytorch_tanh", "gelu_new", "gelu_fast", "relu". ${ANOTHER}`,
  ],
  [
    'llama',
    { rope_scaling: 'llama3' },
    'file-format',
    `config.json: rope_scaling is "llama3"; it must be an object. ${REMEDY}`,
  ],
  [
    'llama',
    { rope_scaling: { type: 'mrope', factor: 4 } },
    'unsupported',
    `config.json: rope_scaling.type is "mrope"; supported are "default", "dynamic", "linear", "llama3", "yarn", "longrope", "su". ${ANOTHER}`,
  ],
  [
    'qwen2-yarn',
    yarn({ factor: -4 }),
    'file-format',
    `config.json: rope_scaling.factor is -4; it must be a positive number. ${REMEDY}`,
  ],
  [
    'qwen2-yarn',
    yarn({ beta_fast: 0.1 }),
    'file-format',
    `config.json: rope_scaling.beta_fast is 0.1; it must be at least beta_slow, which is 1. ${REMEDY}`,
  ],
  [
    'qwen2-yarn',
    yarn({ truncate: 1 }),
    'file-format',
    `config.json: rope_scaling.truncate is 1; it must be true or false. ${REMEDY}`,
  ],
  [
    'llama',
    llama3({ factor: 0 }),
    'file-format',
    `config.json: rope_scaling.factor is 0; it must be a positive number. ${REMEDY}`,
  ],
  [
    'llama',
    llama3({ factor: undefined }),
    'file-format',
    `config.json has no rope_scaling.factor, which this model's config must state. ${REMEDY}`,
  ],
  [
    'llama',
    llama3({ high_freq_factor: 1 }),
    'file-format',
    `config.json: rope_scaling.high_freq_factor is 1; it must be above low_freq_factor, which is 1. ${REMEDY}`,
  ],
  ['llama', { espalier: [] }, 'file-format', `config.json: espalier is []; it must be an object. ${REMEDY}`],
  [
    'llama',
    { espalier: { layers: [{}] } },
    'file-format',
    `config.json: espalier.layers is a list of 1; it must be a list of 2 objects. ${REMEDY}`,
  ],
  [
    'llama',
    { espalier: { layers: [1, 2] } },
    'file-format',
    `config.json: espalier.layers[0] is 1; it must be an object. ${REMEDY}`,
  ],
  [
    'llama',
    { espalier: { layers: [{ keyValueHeads: 3, neurons: 1 }, {}] } },
    'file-format',
    `config.json: espalier.layers[0].keyValueHeads is 3; it must be a whole number from 0 to 2. ${REMEDY}`,
  ],
  [
    'mistral',
    { sliding_window: 0 },
    'file-format',
    `config.json: sliding_window is 0; it must be a whole number from 1 to 1073741824. ${REMEDY}`,
  ],
  [
    'qwen2',
    { layer_types: ['full_attention', 'chunked_attention'] },
    'unsupported',
    `config.json: layer_types[1] is "chunked_attention"; supported are "full_attention", "sliding_attention". ${ANOTHER}`,
  ],
  [
    'qwen2',
    { layer_types: ['full_attention'] },
    'file-format',
    `config.json: layer_types is a list of 1; it must be a list of 2 words. ${REMEDY}`,
  ],
  [
    'gemma3',
    { sliding_window: null },
    'file-format',
    `config.json: sliding_window is null; it must be a number of positions, because some layers slide. ${REMEDY}`,
  ],
  [
    'gemma3',
    { use_bidirectional_attention: true },
    'unsupported',
    `config.json: use_bidirectional_attention is true; Espalier prunes causal language models only. ${ANOTHER}`,
  ],
  [
    'gemma3',
    { final_logit_softcapping: 30 },
    'unsupported',
    `config.json: final_logit_softcapping is 30; softcapping is not supported. ${ANOTHER}`,
  ],
  [
    'gemma3',
    { query_pre_attn_scalar: '24' },
    'file-format',
    `config.json: query_pre_attn_scalar is "24"; it must be a positive number. ${REMEDY}`,
  ],
  [
    'phi3-longrope',
    { rope_scaling: { type: 'longrope', short_factor: [1] } },
    'file-format',
    `config.json: rope_scaling.short_factor is a list of 1; it must be a list of 2 positive numbers. ${REMEDY}`,
  ],
  [
    'phi3-longrope',
    { rope_scaling: { type: 'longrope', short_factor: [1, null] } },
    'file-format',
    `config.json: rope_scaling.short_factor[1] is null; it must be a positive number. ${REMEDY}`,
  ],
];

describe('a broken config', () => {
  test.each(BROKEN)('of %s with %j', async (name, changes, code, sentence) => {
    const checkpoint = await withConfig(name, changes);
    expect(() => architectureFor(checkpoint)).toThrow(EspalierError);
    expect(() => architectureFor(checkpoint)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(sentence) }),
    );
  });
});

describe('weights that the config does not fit', () => {
  test.each<readonly [FixtureName, Changes, string]>([
    [
      'llama',
      { intermediate_size: 25 },
      'llama: tensor model.layers.0.mlp.gate_proj.weight has shape [24, 32], but config.json asks for [25, 32].',
    ],
    ['llama', { tie_word_embeddings: false }, 'llama has no tensor lm_head.weight'],
    ['llama', { attention_bias: true }, 'llama has no tensor model.layers.0.self_attn.q_proj.bias'],
    [
      'phi3',
      { intermediate_size: 23 },
      'phi3: tensor model.layers.0.mlp.gate_up_proj.weight has shape [48, 32], but config.json asks for [46, 32].',
    ],
    [
      'phi3',
      { num_key_value_heads: 4 },
      'phi3: tensor model.layers.0.self_attn.qkv_proj.weight has shape [64, 32], but config.json asks for [96, 32].',
    ],
    [
      'gemma3',
      { head_dim: 8 },
      'gemma3: tensor model.layers.0.self_attn.q_proj.weight has shape [64, 32], but config.json asks for [32, 32].',
    ],
  ])('%s with %j', async (name, changes, sentence) => {
    const checkpoint = await withConfig(name, changes);
    expect(() => modelOf(checkpoint)).toThrow(sentence);
  });

  test('a bias that the architecture asks for is missed, one for compensation is not', async () => {
    const { checkpoint } = await openFixture('llama-biases');
    const tensors = new Map(checkpoint.tensors);
    tensors.delete('model.layers.1.self_attn.o_proj.bias');
    expect(() => modelOf({ ...checkpoint, tensors })).toThrow(
      'llama-biases has no tensor model.layers.1.self_attn.o_proj.bias',
    );
    const plain = await openFixture('llama');
    expect(plain.checkpoint.tensors.has('model.layers.1.self_attn.o_proj.bias')).toBe(false);
    modelOf(plain.checkpoint);
  });
});

describe('a config that leaves things out', () => {
  test('takes what transformers takes', async () => {
    const positions = async (name: FixtureName, changes: Changes, layer = 0) =>
      architectureFor(await withConfig(name, changes)).positions(layer);
    expect((await positions('mistral', { sliding_window: null })).window).toBe(undefined);
    const { checkpoint } = await openFixture('mistral');
    const { sliding_window: _, ...without } = checkpoint.config;
    expect(architectureFor({ ...checkpoint, config: without }).positions(0).window).toBe(4096);
    // Every second layer of the fixture is global; by default every sixth is.
    expect((await positions('gemma3', {}, 1)).window).toBe(undefined);
    expect((await positions('gemma3', { sliding_window_pattern: null, layer_types: null }, 1)).window).toBe(4);
    expect((await positions('qwen2', { use_sliding_window: false }, 1)).window).toBe(undefined);
  });

  test('ties the embedding when there is no other output matrix', async () => {
    const tied = async (name: FixtureName) =>
      architectureFor(await withConfig(name, { tie_word_embeddings: null })).config.tiedEmbedding;
    expect(await tied('llama')).toBe(true);
    expect(await tied('mistral')).toBe(false);
  });
});

test('windows longer than the model holds are refused, with LongRoPE beyond the original length', async () => {
  using runtime = await createNodeRuntime({ threads: 1 });
  const { architecture } = modelOf((await openFixture('phi3-longrope')).checkpoint);
  using programs = new Programs(runtime, architecture);
  expect(programs.positions(16, 0).cosine.shape).toEqual([16, 2]);
  expect(() => programs.positions(17, 0)).toThrow(
    new UsageError('A window of 17 tokens was asked for; the model holds 16. Ask for windows of at most 16.'),
  );
});
