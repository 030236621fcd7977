import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { BLOCK_FORMATS } from '../../checkpoint/formats/gguf/dequantize.ts';
import { floatToHalf, halfToFloat } from '../../checkpoint/half.ts';
import { seededRandom } from '../../random.ts';
import { GGUF_TYPES, type GgufType } from './blocks.ts';

interface Case {
  readonly type: 'Q8_0' | 'Q4_0';
  readonly values: readonly number[];
  /** Hex, by ggml's Python package (scripts/fixtures/make_gguf_blocks.py). */
  readonly blocks: string;
}
const cases = JSON.parse(await readFile(join(import.meta.dirname, '../fixtures/gguf-blocks.json'), 'utf8')) as Case[];

function decode(type: GgufType, bytes: Uint8Array, count: number): Float32Array {
  const values = new Float32Array(count);
  BLOCK_FORMATS.get(GGUF_TYPES[type].code)?.dequantize(bytes, values);
  return values;
}

describe('blocks of GGUF files', () => {
  test.each(cases.map((each, index) => ({ ...each, index })))(
    '$type, row $index: the bytes of ggml',
    ({ type, values, blocks }) => {
      expect(Buffer.from(GGUF_TYPES[type].encode(Float32Array.from(values))).toString('hex')).toBe(blocks);
    },
  );

  test.each(['F32', 'F16', 'Q8_0', 'Q4_0', 'Q4_1'] as const)('%s: what is read again is within its step', (type) => {
    const random = seededRandom(3);
    const values = Float32Array.from({ length: 320 }, () => random() * 2 - 1);
    const { encode, elements, bytes } = GGUF_TYPES[type];
    const encoded = encode(values);
    expect(encoded.byteLength).toBe((values.length / elements) * bytes);
    const allowed = { F32: 0, F16: 5e-4, Q8_0: 0.0045, Q4_0: 0.14, Q4_1: 0.07 }[type];
    const read = decode(type, encoded, values.length);
    for (const [i, value] of values.entries()) expect(Math.abs((read[i] ?? 9) - value)).toBeLessThanOrEqual(allowed);
  });

  test('Q4_1: values on a grid of sixteen steps come out as they were', () => {
    const [minimum = 0, step = 0] = halfToFloat(floatToHalf(Float32Array.of(-0.37, 0.0131)));
    const values = Float32Array.from({ length: 64 }, (_, i) => minimum + step * ((i * 7) % 16));
    expect(decode('Q4_1', GGUF_TYPES.Q4_1.encode(values), 64)).toEqual(values);
  });
});
