import { describe, expect, test } from 'vitest';
import { modelOf } from '../../../architecture/model.ts';
import { openCheckpoint } from '../../folder.ts';
import { ggufFile, TINY_LLAMA, TINY_LLAMA_TENSORS } from '../../testing/gguf-file.ts';
import { memoryFiles } from '../../testing/memory-files.ts';
import { loadTokenizer } from '../../tokenizer/tokenizer.ts';

type Metadata = Parameters<typeof ggufFile>[0];

const open = async (more: Metadata, tensors = TINY_LLAMA_TENSORS) =>
  modelOf(await openCheckpoint(memoryFiles('m', { 'm.gguf': ggufFile({ ...TINY_LLAMA, ...more }, tensors) })));
const bias = (length: number) => ({ shape: [length], data: new Float32Array(length).fill(1) });

describe('metadata below the architecture', () => {
  test.each<readonly [Metadata]>([
    [{ 'llama.logit_scale': { f32: 0.5 } }],
    [{ 'llama.attention.scale': { f32: 0.5 } }],
    [{ 'llama.attn_logit_softcapping': { f32: 50 } }],
    [{ 'llama.attention.sliding_window': 8 }],
    [{ 'llama.attention.causal': false }],
    [{ 'llama.expert_count': 8 }],
    [{ 'llama.rope.scaling.alpha': { f32: 1000 } }],
    [{ 'llama.something.new': 3 }],
  ])('that is not read is refused by name: %j', async (more) => {
    const [name = ''] = Object.keys(more);
    await expect(open(more)).rejects.toThrow(
      new RegExp(`^m.gguf: the metadata entry "${name}" is .*, which changes what is computed and is not read here`),
    );
  });

  test('passes where it switches off what it stands for, and elsewhere it may be anything', async () => {
    const off = { 'llama.logit_scale': { f32: 1 }, 'llama.expert_count': 0, 'llama.attention.sliding_window': 0 };
    await expect(
      open({ ...off, 'llama.attention.causal': true, 'tool.note': 'x', 'qwen2.expert_count': 3 }),
    ).resolves.toBeDefined();
  });

  test('says how much of a head turns', async () => {
    await expect(open({ 'llama.rope.dimension_count': 4 })).resolves.toBeDefined();
    await expect(open({ 'llama.rope.dimension_count': 2, 'llama.attention.key_length': 4 })).rejects.toThrow(
      'm.gguf turns 2 of the 4 channels of a head, which is not read for llama.',
    );
  });

  test('gives the ends of the ramp of YaRN', async () => {
    const yarn = { 'llama.rope.scaling.type': 'yarn', 'llama.rope.scaling.factor': { f32: 4 } };
    const ramp = { 'llama.rope.scaling.yarn_beta_fast': { f32: 16 }, 'llama.rope.scaling.yarn_beta_slow': { f32: 2 } };
    const { checkpoint } = await open({ ...yarn, ...ramp });
    expect(checkpoint.config.rope_scaling).toEqual({ rope_type: 'yarn', factor: 4, beta_fast: 16, beta_slow: 2 });
  });

  test('a factor without its kind is a linear one, as in llama.cpp', async () => {
    const factor = { 'llama.rope.scaling.factor': { f32: 2 } };
    const { checkpoint } = await open(factor);
    expect(checkpoint.config.rope_scaling).toEqual({ rope_type: 'linear', factor: 2 });
    const off = await open({ ...factor, 'llama.rope.scaling.type': 'none' });
    expect(off.checkpoint.config.rope_scaling).toBeUndefined();
  });
});

test('rope factors of 1 change nothing; others beside a scaling are told', async () => {
  const factors = (...values: number[]) => ({
    ...TINY_LLAMA_TENSORS,
    'rope_freqs.weight': { shape: [values.length], data: Float32Array.from(values) },
  });
  expect((await open({}, factors(1, 1))).checkpoint.config.rope_scaling).toBeUndefined();
  const linear = { 'llama.rope.scaling.type': 'linear', 'llama.rope.scaling.factor': { f32: 2 } };
  await expect(open(linear, factors(2, 2))).rejects.toThrow(
    'm.gguf has rope factors and the rope scaling "linear" by 2',
  );
});

test('tensors that nobody reads are named', async () => {
  for (const name of ['blk.0.attn_sinks.weight', 'blk.0.ffn_gate_inp.weight', 'blk.1.ffn_up.weight', 'cls.weight'])
    await expect(open({}, { ...TINY_LLAMA_TENSORS, [name]: bias(4) })).rejects.toThrow(
      /m\.gguf has 1 tensor that the architecture llama does not read: (cls|blk\.0|model\.layers\.1)/,
    );
});

test('biases on queries, keys and values alone are read', async () => {
  const biases = { 'blk.0.attn_q.bias': bias(8), 'blk.0.attn_k.bias': bias(8), 'blk.0.attn_v.bias': bias(8) };
  const { architecture, checkpoint } = await open({}, { ...TINY_LLAMA_TENSORS, ...biases });
  expect(checkpoint.config.attention_bias).toBe(false);
  expect(architecture.blockWeights(0).map(({ input }) => input)).toContain('attention.query.bias');
});

test('a SentencePiece vocabulary that names no special tokens has those that llama.cpp takes', async () => {
  const tokens = ['<unk>', '<s>', '</s>', '▁', 'a'];
  const { checkpoint } = await open({ 'tokenizer.ggml.model': 'llama', 'tokenizer.ggml.tokens': tokens });
  expect(checkpoint.config).toMatchObject({ bos_token_id: 1, eos_token_id: 2 });
  const tokenizer = await loadTokenizer(checkpoint);
  expect(tokenizer.encode('a')).toEqual([1, 3, 4]);
  expect(tokenizer.eosTokenIds).toEqual([2]);
});
