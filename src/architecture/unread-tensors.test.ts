import { describe, expect, test } from 'vitest';
import type { Checkpoint, TensorInfo } from '../checkpoint/checkpoint.ts';
import { overlayCheckpoint } from '../checkpoint/overlay.ts';
import { UnsupportedError } from '../errors.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import { modelOf } from './model.ts';
import { computeAll } from './testing/compute.ts';
import { FIXTURES, openFixture, relativeDifference } from './testing/fixture.ts';

function withTensors(checkpoint: Checkpoint, ...names: readonly string[]): Checkpoint {
  const more = names.map((name): [string, TensorInfo] => [name, { name, storage: 'F32', shape: [2], byteLength: 8 }]);
  return { ...checkpoint, tensors: new Map([...checkpoint.tensors, ...more]) };
}

const { checkpoint: llama } = await openFixture('llama');

test.each(FIXTURES)('everything in %s is read', async (name) => {
  const { checkpoint } = await openFixture(name);
  expect(modelOf(checkpoint).checkpoint).toBe(checkpoint);
});

describe('a tensor that nobody reads', () => {
  test.each([
    ['model.layers.0.self_attn.q_norm.weight', 'Check that the config names the right architecture'],
    ['model.layers.1.post_feedforward_layernorm.weight', 'Check that the config names the right architecture'],
    ['model.layers.1.self_attn.sinks', 'Check that the config names the right architecture'],
    ['lm_head.bias', 'Check that the config names the right architecture'],
    ['model.norm.bias', 'Check that the config names the right architecture'],
    ['model.layers.2.mlp.up_proj.weight', 'config.json says num_hidden_layers 2: correct it if the layers beyond'],
    ['base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight', 'They belong to an adapter: merge it'],
    ['model.layers.0.mlp.up_proj.lora_B.default.weight', 'They belong to an adapter: merge it'],
    ['model.layers.0.self_attn.q_proj.weight_scale', 'They belong to a quantisation that is not read'],
    ['model.layers.0.self_attn.q_proj.SCB', 'They belong to a quantisation that is not read'],
    ['model.layers.0.self_attn.q_proj.weight.absmax', 'They belong to a quantisation that is not read'],
    ['score.weight', 'They are the head of a classifier'],
    ['v_head.summary.weight', 'They are the head of a classifier'],
    ['model.layers.0.mlp.experts.3.up_proj.weight', 'They belong to a mixture of experts'],
    ['vision_tower.patch.weight', 'They read images or sound'],
  ])('is refused by name, with what helps: %s', (name, remedy) => {
    const open = () => modelOf(withTensors(llama, name));
    expect(open).toThrow(UnsupportedError);
    if (QUANTISED.has(name)) return;
    expect(open).toThrow(`llama has 1 tensor that the architecture llama does not read: ${name}.`);
    expect(open).toThrow(remedy);
    expect(open).toThrow('--ignore-tensors (ignoreTensors) leaves them out');
  });

  test('passes where it is asked to, and is gone', () => {
    const { checkpoint } = modelOf(withTensors(llama, 'score.weight', 'model.norm.bias'), { ignoreTensors: true });
    expect([...checkpoint.tensors.keys()]).toEqual([...llama.tensors.keys()]);
  });

  test('is counted, and three are named', () => {
    expect(() => modelOf(withTensors(llama, 'a', 'b', 'c', 'd'))).toThrow(
      'llama has 4 tensors that the architecture llama does not read: a, b, c, …. A model without them is another model.',
    );
  });
});

test('what files of Qwen3.5 have beside the language model is left out, and told', async () => {
  const { checkpoint } = await openFixture('qwen3-5');
  const published = withTensors(
    checkpoint,
    'mtp.fc.weight',
    'mtp.norm.weight',
    'model.visual.blocks.0.mlp.linear_fc1.weight',
  );
  const { checkpoint: read } = modelOf(published);
  expect([...read.tensors.keys()]).toEqual([...checkpoint.tensors.keys()]);
  expect(read.notes).toEqual([
    'Left out: 2 tensors that predict further tokens (mtp), and 1 tensor that read images (visual). The language model does not need them.',
  ]);
  expect(() => modelOf(withTensors(checkpoint, 'model.audio.weight'))).toThrow('They read images or sound');
});

/** Packed weights are told apart before anything else is looked at. */
const QUANTISED = new Set([
  'model.layers.0.self_attn.q_proj.weight_scale',
  'model.layers.0.self_attn.q_proj.SCB',
  'model.layers.0.self_attn.q_proj.weight.absmax',
]);

test.each([
  'model.layers.0.self_attn.rotary_emb.inv_freq',
  'model.rotary_emb.inv_freq',
  'blk.0.attn_rot_embd',
  'model.layers.1.self_attn.masked_bias',
  'model.layers.1.self_attn.rotary_emb.cos_cached',
])('%s, which changes nothing, passes', (name) => expect(() => modelOf(withTensors(llama, name))).not.toThrow());

test('biases that config.json does not mention are computed, with zeros in layers that have none', async () => {
  using runtime = await createNodeRuntime({ threads: 1 });
  const { checkpoint, windows } = await openFixture('llama-biases');
  const silent = { ...checkpoint, config: { ...checkpoint.config, attention_bias: false, mlp_bias: false } };
  const asked = await computeAll(runtime, checkpoint, windows);
  const found = await computeAll(runtime, silent, windows);
  expect(relativeDifference(found.logits, asked.logits)).toBe(0);

  const name = 'model.layers.1.self_attn.q_proj.bias';
  const { shape = [] } = checkpoint.tensors.get(name) ?? {};
  const zeros = overlayCheckpoint(checkpoint, new Map([[name, { shape, data: new Float32Array(shape[0] ?? 0) }]]));
  const tensors = new Map(silent.tensors);
  tensors.delete(name);
  const without = await computeAll(runtime, { ...silent, tensors }, windows);
  expect(relativeDifference(without.logits, (await computeAll(runtime, zeros, windows)).logits)).toBe(0);
  expect(relativeDifference(without.logits, asked.logits)).toBeGreaterThan(1e-4);
});
