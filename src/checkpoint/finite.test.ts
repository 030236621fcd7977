import { describe, expect, test } from 'vitest';
import { FileFormatError } from '../errors.ts';
import { findNotFinite } from './finite.ts';
import { openCheckpoint } from './folder.ts';
import { type WritableTensor, writeSafetensors } from './formats/safetensors/safetensors-write.ts';
import { floatToHalf } from './half.ts';
import { ggufFile, TINY_LLAMA, TINY_LLAMA_TENSORS } from './testing/gguf-file.ts';
import { memoryFiles } from './testing/memory-files.ts';

const NAME = 'model.layers.0.mlp.up_proj.weight';
const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const ones = (wrong: number, at: number) => {
  const values = new Float32Array(12).fill(1);
  values[at] = wrong;
  return values;
};
const open = (tensor: WritableTensor) =>
  openCheckpoint(
    memoryFiles('m', {
      'config.json': text({ tie_word_embeddings: false }),
      'model.safetensors': writeSafetensors(new Map([[NAME, tensor]])),
    }),
  );

describe('a weight that is no finite number is named with its place', () => {
  const shape = [4, 3];
  test.each<readonly [string, WritableTensor, string]>([
    [
      'float32',
      { dtype: 'F32', shape, data: ones(Number.NaN, 7) },
      `m: the tensor "${NAME}" is NaN at row 2, column 1.`,
    ],
    [
      'float32, infinite',
      { dtype: 'F32', shape, data: ones(Number.NEGATIVE_INFINITY, 0) },
      'is -Infinity at row 0, column 0.',
    ],
    ['half precision', { dtype: 'F16', shape, data: floatToHalf(ones(Number.NaN, 11)) }, 'is NaN at row 3, column 2.'],
    [
      'half precision that overflowed',
      { dtype: 'F16', shape, data: floatToHalf(ones(70_000, 4)) },
      'is Infinity at row 1, column 1.',
    ],
    ['a vector', { dtype: 'F32', shape: [12], data: ones(Number.NaN, 5) }, 'is NaN at place 5.'],
  ])('in %s', async (_, tensor, sentence) => {
    const model = await open(tensor);
    await expect(model.read(NAME)).rejects.toThrow(FileFormatError);
    await expect(model.read(NAME)).rejects.toThrow(sentence);
  });

  test('by its row in the whole tensor where only rows are read, and other rows are read', async () => {
    const model = await open({ dtype: 'F32', shape, data: ones(Number.NaN, 7) });
    await expect(model.read(NAME, { start: 2, end: 4 })).rejects.toThrow('is NaN at row 2, column 1.');
    expect(await model.read(NAME, { start: 0, end: 2 })).toEqual(new Float32Array(6).fill(1));
  });

  test('in a GGUF file, by its canonical name and order', async () => {
    const { shape, data } = TINY_LLAMA_TENSORS['blk.0.ffn_up.weight'] as (typeof TINY_LLAMA_TENSORS)[string];
    const broken = data.slice();
    broken[9] = Number.NaN;
    const file = ggufFile(TINY_LLAMA, { ...TINY_LLAMA_TENSORS, 'blk.0.ffn_up.weight': { shape, data: broken } });
    const model = await openCheckpoint(memoryFiles('m', { 'm.gguf': file }));
    await expect(model.read(NAME)).rejects.toThrow(`the tensor "${NAME}" is NaN at row 1, column 1.`);
  });
});

test('finite values of all sizes pass', () => {
  expect(findNotFinite(Float32Array.of(0, -0, 1e-45, 3.4e38, -3.4e38))).toBe(-1);
  expect(findNotFinite(Float32Array.of(1, Number.POSITIVE_INFINITY).subarray(1))).toBe(0);
});
