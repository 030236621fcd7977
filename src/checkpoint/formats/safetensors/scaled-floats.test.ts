import { expect, test } from 'vitest';
import { MismatchError } from '../../../errors.ts';
import { memoryFiles } from '../../testing/memory-files.ts';
import { openFolder } from './safetensors-folder.ts';

type Tensor = readonly [dtype: string, shape: readonly number[], bytes: Uint8Array];

const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

/** A safetensors file of any element types. */
function file(tensors: Readonly<Record<string, Tensor>>): Uint8Array {
  let end = 0;
  const header = Object.fromEntries(
    Object.entries(tensors).map(([name, [dtype, shape, { length }]]) => {
      end += length;
      return [name, { dtype, shape, data_offsets: [end - length, end] }];
    }),
  );
  const json = text(header);
  const size = new Uint8Array(new BigUint64Array([BigInt(json.length)]).buffer);
  return Uint8Array.from([...size, ...json, ...Object.values(tensors).flatMap(([, , bytes]) => [...bytes])]);
}

const open = (tensors: Readonly<Record<string, Tensor>>, config: object) =>
  openFolder(memoryFiles('m', { 'config.json': text(config), 'model.safetensors': file(tensors) }));

/** 1, -1, 448, the least, 0, 2. */
const CODES = Uint8Array.of(0x38, 0xb8, 0x7e, 0x01, 0x00, 0x40);
const VALUES = [1, -1, 448, 2 ** -9, 0, 2];
const FP8 = { model_type: 'llama', quantization_config: { quant_method: 'fp8' } };

test('a scale for the whole weight; scales of activations are left out', async () => {
  const model = await open(
    {
      'a.weight': ['F8_E4M3', [2, 3], CODES],
      'a.weight_scale_inv': ['F32', [], floats(0.5)],
      'a.activation_scale': ['F32', [], floats(3)],
    },
    FP8,
  );
  expect([...model.tensors.keys()]).toEqual(['a.weight']);
  expect(model.config).toEqual({ model_type: 'llama' });
  expect([...(await model.read('a.weight'))]).toEqual(VALUES.map((value) => value / 2));
  expect([...(await model.read('a.weight', { start: 1, end: 2 }))]).toEqual(VALUES.slice(3).map((value) => value / 2));
});

test('a scale for every row', async () => {
  const model = await open(
    { 'a.weight': ['F8_E4M3', [3, 2], CODES], 'a.weight_scale': ['F32', [3, 1], floats(1, 2, 4)] },
    { model_type: 'llama', quantization_config: { quant_method: 'compressed-tensors' } },
  );
  expect([...(await model.read('a.weight'))]).toEqual(VALUES.map((value, index) => value * 2 ** (index >> 1)));
  expect([...(await model.read('a.weight', { start: 2, end: 3 }))]).toEqual([0, 8]);
});

test('a scale for every block, of which the last are smaller', async () => {
  const blocks = { quant_method: 'fp8', weight_block_size: [2, 2] };
  const weight: Tensor = ['F8_E4M3', [3, 3], Uint8Array.from({ length: 9 }, () => 0x38)];
  const config = { model_type: 'llama', quantization_config: blocks };
  const model = await open({ 'a.weight': weight, 'a.weight_scale_inv': ['F32', [2, 2], floats(1, 2, 3, 4)] }, config);
  expect([...(await model.read('a.weight'))]).toEqual([1, 1, 2, 1, 1, 2, 3, 3, 4]);
  expect([...(await model.read('a.weight', { start: 2, end: 3 }))]).toEqual([3, 3, 4]);
  await expect(
    open({ 'a.weight': weight, 'a.weight_scale_inv': ['F32', [1, 3], floats(1, 2, 3)] }, config),
  ).rejects.toThrow(MismatchError);
});

test.each(['language_model.model.', 'model.language_model.'])(
  'a language model inside another, under %s',
  async (prefix) => {
    const tensor: Tensor = ['F32', [1, 2], floats(5, 6)];
    const model = await open(
      { [`${prefix}norm.weight`]: tensor, 'language_model.lm_head.weight': tensor, 'vision_tower.a.weight': tensor },
      {
        model_type: 'mistral3',
        tie_word_embeddings: false,
        vision_config: {},
        text_config: { model_type: 'ministral3', hidden_size: 2 },
      },
    );
    expect(model.config).toEqual({ model_type: 'ministral3', hidden_size: 2, tie_word_embeddings: false });
    expect([...model.tensors.keys()].sort()).toEqual(['lm_head.weight', 'model.norm.weight', 'vision_tower.a.weight']);
    expect([...(await model.read('model.norm.weight'))]).toEqual([5, 6]);
  },
);

test('a weight that lacks the scale which others have is told', async () => {
  const weights: Record<string, Tensor> = {
    'a.weight': ['F8_E4M3', [2, 3], CODES],
    'a.weight_scale': ['F32', [], floats(0.5)],
    'b.weight': ['F8_E4M3', [2, 3], CODES],
  };
  await expect(open(weights, FP8)).rejects.toThrow('Tensor "b.weight" is stored as F8_E4M3 without the scale');
});
