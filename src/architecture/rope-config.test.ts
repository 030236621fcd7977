import { describe, expect, test } from 'vitest';
import { MismatchError } from '../errors.ts';
import { architectureFor } from './index.ts';
import { inverseFrequencies } from './rope.ts';
import { type FixtureName, openFixture } from './testing/fixture.ts';

async function frequencies(name: FixtureName, rope: Readonly<Record<string, unknown>>, layer = 0) {
  const { checkpoint } = await openFixture(name);
  const { rope_theta: _, rope_scaling: __, rope_parameters: ___, ...config } = checkpoint.config;
  return architectureFor({ ...checkpoint, config: { ...config, ...rope } }).positions(layer).inverseFrequencies;
}

describe('the rotary base', () => {
  test.each([
    [{ rope_theta: 50_000 }],
    [{ rope_scaling: { rope_type: 'default', rope_theta: 50_000 } }],
    [{ rope_parameters: { rope_type: 'default', rope_theta: 50_000 } }],
    [{ rope_theta: 50_000, rope_scaling: { type: 'default', rope_theta: 50_000 } }],
    [{ rope_theta: 50_000, rope_parameters: { rope_theta: 50_000 } }],
    [{ rope_scaling: { type: 'default' }, rope_parameters: { rope_theta: 50_000 } }],
  ])('counts wherever it stands: %j', async (rope) => {
    expect(await frequencies('llama', rope)).toEqual(inverseFrequencies(8, 50_000, { kind: 'none' }));
  });

  test('counts beside a scaling', async () => {
    expect(await frequencies('llama', { rope_scaling: { type: 'linear', factor: 2, rope_theta: 50_000 } })).toEqual(
      inverseFrequencies(8, 50_000, { kind: 'linear', factor: 2 }),
    );
  });

  test('is that of the architecture where nobody states it', async () => {
    expect(await frequencies('llama', {})).toEqual(inverseFrequencies(8, 10_000, { kind: 'none' }));
    expect(await frequencies('gemma3', {}, 1)).toEqual(inverseFrequencies(16, 1_000_000, { kind: 'none' }));
  });
});

test('gpt-oss scales its positions where the config says nothing of it', async () => {
  const yarn = { rope_type: 'yarn', factor: 32, truncate: false, original_max_position_embeddings: 4096 };
  const silent = await frequencies('gpt-oss', { rope_theta: 150_000 });
  expect(silent).toEqual(await frequencies('gpt-oss', { rope_theta: 150_000, rope_scaling: yarn }));
  expect(silent).not.toEqual(await frequencies('gpt-oss', { rope_parameters: { rope_theta: 150_000 } }));
});

test('the share of channels that turn counts wherever it stands', async () => {
  for (const rope of [
    { partial_rotary_factor: 0.5 },
    { rope_scaling: { type: 'default', partial_rotary_factor: 0.5 } },
    { rope_parameters: { partial_rotary_factor: 0.5 } },
  ])
    expect((await frequencies('phi3', rope)).length).toBe(2);
});

test('a share of channels is told where transformers turns all of them', async () => {
  for (const rope of [{ partial_rotary_factor: 0.5 }, { rope_parameters: { partial_rotary_factor: 0.5 } }])
    await expect(frequencies('llama', rope)).rejects.toThrow(
      'config.json: partial_rotary_factor is 0.5; transformers turns all channels in this architecture, and other programs turn fewer. Remove it from config.json if all were turned in training.',
    );
});

test.each<readonly [FixtureName, Readonly<Record<string, unknown>>, string]>([
  [
    'llama',
    { rope_theta: 10_000, rope_scaling: { type: 'linear', factor: 2, rope_theta: 50_000 } },
    'config.json says two things: rope_theta is 10000 and rope_scaling.rope_theta is 50000. Keep the one that the model was trained with.',
  ],
  [
    'llama',
    { rope_scaling: { type: 'linear', factor: 2 }, rope_parameters: { rope_type: 'linear', factor: 4 } },
    'rope_scaling.factor is 2 and rope_parameters.factor is 4.',
  ],
  [
    'llama',
    { rope_scaling: { type: 'linear', factor: 2 }, rope_parameters: { rope_type: 'default' } },
    'rope_scaling.type is "linear" and rope_parameters.rope_type is "default".',
  ],
  [
    'gemma3',
    { rope_local_base_freq: 10_000, rope_parameters: { sliding_attention: { rope_theta: 500 } } },
    'rope_local_base_freq is 10000 and rope_parameters.sliding_attention.rope_theta is 500.',
  ],
])('of %s a contradiction is told: %j', async (name, rope, sentence) => {
  const error = await frequencies(name, rope).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(MismatchError);
  expect(error).toHaveProperty('message', expect.stringContaining(sentence));
});

test('rotary fields by layer type are refused where the layers are alike', async () => {
  await expect(frequencies('llama', { rope_parameters: { full_attention: { rope_theta: 500 } } })).rejects.toThrow(
    'rope_parameters.full_attention is {"rope_theta":500}, a key that is not known here',
  );
});
