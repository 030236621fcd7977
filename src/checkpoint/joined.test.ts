import { expect, test } from 'vitest';
import { FileFormatError } from '../errors.ts';
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
