import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BLOCK_FORMATS } from './dequantize.ts';

interface Case {
  readonly type: number;
  readonly name: string;
  readonly bytes: string;
  readonly values: string;
}
const cases = JSON.parse(await readFile(join(import.meta.dirname, '../../fixtures/quants.json'), 'utf8')) as Case[];

test.each(cases)(
  '$name blocks become the very float32 patterns of the Python gguf package',
  ({ type, name, bytes, values }) => {
    const format = BLOCK_FORMATS.get(type);
    if (!format) throw new Error(`no format ${type}`);
    expect(format.name).toBe(name);
    const data = new Uint8Array(Buffer.from(bytes, 'base64'));
    const expected = new Uint32Array(new Uint8Array(Buffer.from(values, 'base64')).buffer);
    expect(data.length % format.bytes).toBe(0);
    const result = new Float32Array((data.length / format.bytes) * format.elements);
    format.dequantize(data, result);
    expect(new Uint32Array(result.buffer)).toEqual(expected);
  },
);

test('every format but F32 has a case', () => {
  expect([...BLOCK_FORMATS.keys()].filter((type) => type !== 0)).toEqual(
    cases.map((each) => each.type).sort((a, b) => a - b),
  );
});
