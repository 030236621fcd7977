import { describe, expect, test } from 'vitest';
import { BLOCK_FORMATS } from '../checkpoint/formats/gguf/dequantize.ts';
import { dequantiseGroups } from '../checkpoint/group-quantised.ts';
import { createRandom } from '../random.ts';
import { dequantiseBlocks } from './dequantise.ts';
import { evenSpacing } from './even-spacing.ts';
import { groupsOfValues } from './group-blocks.ts';
import { quantiseBlocks } from './quantise.ts';

const random = createRandom(11);

/** Random blocks of a format, with scales and minima as small as weights have them. */
function blocksOf(type: number, count: number): Float32Array {
  const format = BLOCK_FORMATS.get(type);
  if (!format) throw new Error(`no type ${type}`);
  const bytes = Uint8Array.from({ length: count * format.bytes }, () => random.integer(256));
  for (let block = 0; block < count; block++) {
    const view = new DataView(bytes.buffer, block * format.bytes, 4);
    // Halves of about 0.01 to 0.03 and, with either sign for Q4_1, 0.1 to 0.3.
    view.setUint16(0, 0x2000 + random.integer(0x600), true);
    view.setUint16(2, 0x2e00 + random.integer(0x600) + (type === 3 && random.integer(2) ? 0x8000 : 0), true);
  }
  const values = new Float32Array(count * format.elements);
  format.dequantize(bytes, values);
  return values;
}

describe('evenSpacing', () => {
  test.each([
    ['Q4_1', 3],
    ['Q4_K', 12],
  ])('finds what every block of %s was made of', (_, type) => {
    expect(BLOCK_FORMATS.get(type)?.grids).toEqual({ bits: 4, block: 32 });
    const values = blocksOf(type, 64);
    for (let start = 0; start < values.length; start += 32) {
      const block = values.subarray(start, start + 32);
      const found = evenSpacing(block, 4);
      if (!found) throw new Error(`the block at ${start} was not found even: ${block}`);
      const wholes = block.map((value) => Math.round((value - found.least) / found.step));
      const off = block.map((value, index) => Math.abs(value - found.least - (wholes[index] ?? 0) * found.step));
      expect(Math.max(...wholes)).toBeLessThanOrEqual(15);
      expect(Math.max(...off)).toBeLessThan(2e-7);
    }
    const back = dequantiseGroups(groupsOfValues(values, 64, 4));
    const off = back.map((value, index) => Math.abs(value - (values[index] ?? Number.NaN)));
    expect(Math.max(...off)).toBeLessThan(2e-7);
  });

  test.each([
    ['Q4_0', 2, 4],
    ['Q8_0', 8, 8],
  ] as const)('the blocks of %s, which have no minimum, are kept by whole zero points', (_, type, bits) => {
    const values = blocksOf(type, 32);
    const back = dequantiseBlocks(quantiseBlocks(values, 64, bits, 32), 64, bits, 32);
    const largest = Math.max(...values.map(Math.abs));
    expect(Math.max(...back.map((value, index) => Math.abs(value - (values[index] ?? 0))))).toBeLessThan(
      2e-7 * largest,
    );
  });

  test('refuses weights at random, and one value too many', () => {
    for (let round = 0; round < 50; round++)
      expect(evenSpacing(Float32Array.from({ length: 32 }, random.normal), 4)).toBeUndefined();
    const line = (count: number) => Float32Array.from({ length: count }, (_, index) => 0.3 + 0.01 * index);
    expect(evenSpacing(line(16), 4)?.step).toBeCloseTo(0.01, 6);
    expect(evenSpacing(line(17), 4)).toBeUndefined();
  });

  test('one value alone is even, and steps below what float32 tells apart are not', () => {
    expect(evenSpacing(new Float32Array(32).fill(-0.25), 4)).toEqual({ least: -0.25, step: 0.25 });
    expect(evenSpacing(new Float32Array(32), 4)).toEqual({ least: 0, step: 1 });
    expect(
      evenSpacing(
        Float32Array.from({ length: 16 }, (_, index) => 1 + index * 2 ** -23),
        4,
      ),
    ).toBeUndefined();
  });
});
