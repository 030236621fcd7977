import { expect, test } from 'vitest';
import { type Model, modelOf } from '../architecture/model.ts';
import { openFixture } from '../architecture/testing/fixture.ts';
import { overlayCheckpoint } from '../checkpoint/overlay.ts';
import { safetensorsFile } from './safetensors/weights.ts';

const { checkpoint } = await openFixture('llama');
const NAME = 'model.layers.1.mlp.up_proj.weight';

/** The fixture with one large value in a weight. */
async function withValue(value: number): Promise<Model> {
  const data = (await checkpoint.read(NAME)).slice();
  data[5] = value;
  const { shape = [] } = checkpoint.tensors.get(NAME) ?? {};
  return modelOf(overlayCheckpoint(checkpoint, new Map([[NAME, { shape, data }]])));
}

async function drain(chunks: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const chunk of chunks) bytes += chunk.length;
  return bytes;
}

const SHAPE = { isPlain: true, hasAddedBiases: false } as Parameters<typeof safetensorsFile>[1];

test('a weight beyond half precision is told by its name, with what helps', async () => {
  const model = await withValue(70_000);
  const sentence = `The weight ${NAME} has the value 70000, and half precision ends at 65,504`;
  const half = safetensorsFile(model, SHAPE, 'float16');
  await expect(drain(half.chunks())).rejects.toThrow(sentence);
  await expect(drain(half.chunks())).rejects.toThrow('bf16 or f32 (--safetensors-type');
  expect(await drain(safetensorsFile(model, SHAPE, 'bfloat16').chunks())).toBeGreaterThan(0);
  expect(await drain(safetensorsFile(await withValue(65_519), SHAPE, 'float16').chunks())).toBeGreaterThan(0);
});
