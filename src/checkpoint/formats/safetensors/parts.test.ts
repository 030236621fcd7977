import { expect, test } from 'vitest';
import { memoryFiles } from '../../testing/memory-files.ts';
import { openFolder } from './safetensors-folder.ts';
import { writeSafetensors } from './safetensors-write.ts';

/** Folders whose index and weight files do not say the same, as people report them. */

const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const floats = (...values: number[]) =>
  ({ dtype: 'F32', shape: [values.length], data: Float32Array.from(values) }) as const;
const file = (tensors: Readonly<Record<string, ReturnType<typeof floats>>>) =>
  writeSafetensors(new Map(Object.entries(tensors)));

const FIRST = 'model-00001-of-00002.safetensors';
const SECOND = 'model-00002-of-00002.safetensors';
const CONFIG = { 'config.json': text({ model_type: 'llama' }) };
const index = (places: Readonly<Record<string, string>>) => ({
  'model.safetensors.index.json': text({ metadata: {}, weight_map: places }),
});

test('of a tensor that two parts have, the one is read that the index names', async () => {
  const parts = { [FIRST]: file({ a: floats(1), b: floats(7) }), [SECOND]: file({ a: floats(8), b: floats(2) }) };
  const model = await openFolder(memoryFiles('m', { ...CONFIG, ...parts, ...index({ a: FIRST, b: SECOND }) }));
  expect([...(await model.read('a')), ...(await model.read('b'))]).toEqual([1, 2]);
  const silent = openFolder(memoryFiles('m', { ...CONFIG, ...parts, ...index({ a: FIRST, c: SECOND }) }));
  await expect(silent).rejects.toThrow(`Tensor "b" is in both ${FIRST} and ${SECOND}.`);
});

test('an index may name files by ./, and not tell all tensors of theirs', async () => {
  const files = { ...CONFIG, [FIRST]: file({ a: floats(1), 'a.bias': floats(3) }), ...index({ a: `./${FIRST}` }) };
  const model = await openFolder(memoryFiles('m', files));
  expect([...model.tensors.keys()]).toEqual(['a', 'a.bias']);
  expect(model.notes).toEqual([]);
});

test.each([
  [
    'an adapter',
    { 'adapter_config.json': text({ peft_type: 'LORA' }), 'adapter_model.safetensors': file({}) },
    'An adapter lies beside the weights of m and is not applied.',
  ],
  [
    'parts beside a whole file',
    { [FIRST]: file({ a: floats(2) }), ...index({ a: FIRST }) },
    `Read is model.safetensors; not read of the same folder: ${FIRST}.`,
  ],
])('%s that is not read is told', async (_, beside, sentence) => {
  const model = await openFolder(
    memoryFiles('m', { ...CONFIG, 'model.safetensors': file({ a: floats(1) }), ...beside }),
  );
  expect([...(await model.read('a'))]).toEqual([1]);
  expect(model.notes).toEqual([expect.stringContaining(sentence)]);
});
