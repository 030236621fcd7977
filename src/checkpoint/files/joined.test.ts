import { expect, test } from 'vitest';
import { FileFormatError, MissingError } from '../../errors.ts';
import { openCheckpoint } from '../folder.ts';
import { writeSafetensors } from '../formats/safetensors/safetensors-write.ts';
import { memoryFiles } from '../testing/memory-files.ts';
import { joinedSource } from './joined.ts';
import { memorySource } from './memory.ts';

test('parts of a file read as the whole, at every range', async () => {
  const whole = Uint8Array.from({ length: 23 }, (_, i) => i);
  const cuts = [0, 7, 7, 8, 20, 23];
  const parts = cuts.slice(1).map((end, i) => memorySource(`part ${i}`, whole.slice(cuts[i], end)));
  const joined = joinedSource('m.gguf', parts);
  expect(joined.byteLength).toBe(23);
  for (let start = 0; start <= 23; start += 1)
    for (let end = start; end <= 23; end += 1) expect(await joined.read(start, end)).toEqual(whole.slice(start, end));
  await expect(joined.read(0, 24)).rejects.toThrow(FileFormatError);
});

test('a model whose file was cut into pieces opens as if it were whole', async () => {
  const whole = writeSafetensors(new Map([['a', { dtype: 'F32', shape: [4], data: Float32Array.of(1, 2, 3, 4) }]]));
  const config = new TextEncoder().encode('{}');
  const pieces = {
    'model.safetensors.part00': whole.slice(0, 30),
    'model.safetensors.part01': whole.slice(30, 50),
    'model.safetensors.part02': whole.slice(50),
  };
  for (const weights of [undefined, 'model.safetensors', 'model.safetensors.part00']) {
    const model = await openCheckpoint(memoryFiles('m', { 'config.json': config, ...pieces }), { weights });
    expect([...(await model.read('a'))]).toEqual([1, 2, 3, 4]);
  }
  const { 'model.safetensors.part01': _, ...gap } = pieces;
  const open = openCheckpoint(memoryFiles('m', { 'config.json': config, ...gap }));
  await expect(open).rejects.toThrow('m has 2 pieces of model.safetensors, but not the one with the number 1. Add it.');
  await expect(open).rejects.toThrow(MissingError);
});
