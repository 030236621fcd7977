import { expect, test } from 'vitest';
import { FileFormatError, MismatchError, MissingError, UnsupportedError, UsageError } from '../../../errors.ts';
import { memorySource } from '../../files/memory.ts';
import { floatToHalf } from '../../half.ts';
import { readSafetensorsHeader, safetensorsWeights } from './safetensors.ts';
import { type WritableTensor, writeSafetensors } from './safetensors-write.ts';

/** A file made by hand, not by our writer. */
function craft(header: unknown, data: Uint8Array = new Uint8Array()): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const file = new Uint8Array(8 + json.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  file.set(data, 8 + json.length);
  return file;
}
const header = (file: Uint8Array) => readSafetensorsHeader(memorySource('w.safetensors', file));
const bytesOf = (array: Float32Array | Uint16Array) => new Uint8Array(array.buffer);

test('a file by hand reads back: whole tensors, row ranges, every plain type', async () => {
  const f32 = Float32Array.of(1, 2, 3, 4, 5, 6);
  const bf16 = Uint16Array.of(0x3f80, 0xc000);
  const data = new Uint8Array(24 + 4 + 4 + 1);
  data.set(bytesOf(f32), 0);
  data.set(bytesOf(bf16), 24);
  data.set(bytesOf(floatToHalf(Float32Array.of(0.5, -65504))), 28);
  data[32] = 0xff;
  const file = craft(
    {
      a: { dtype: 'F32', shape: [3, 2], data_offsets: [0, 24] },
      b: { dtype: 'BF16', shape: [2], data_offsets: [24, 28] },
      c: { dtype: 'F16', shape: [2, 1], data_offsets: [28, 32] },
      d: { dtype: 'I8', shape: [], data_offsets: [32, 33] },
      __metadata__: { format: 'pt' },
    },
    data,
  );
  expect((await header(file)).metadata).toEqual({ format: 'pt' });
  const weights = await safetensorsWeights([memorySource('w.safetensors', file)]);
  expect([...(await weights.read('a'))]).toEqual([1, 2, 3, 4, 5, 6]);
  expect([...(await weights.read('a', { start: 1, end: 3 }))]).toEqual([3, 4, 5, 6]);
  expect([...(await weights.read('a', { start: 3, end: 3 }))]).toEqual([]);
  expect([...(await weights.read('b'))]).toEqual([1, -2]);
  expect([...(await weights.read('c', { start: 1, end: 2 }))]).toEqual([-65504]);
  expect([...(await weights.read('d'))]).toEqual([-1]);
  expect(weights.tensors.get('c')).toEqual({ name: 'c', storage: 'F16', shape: [2, 1], byteLength: 4 });
  await expect(weights.read('a', { start: 2, end: 4 })).rejects.toThrow(UsageError);
  await expect(weights.read('z')).rejects.toThrow(MissingError);
});

test('an empty __metadata__ is read; a name that stands twice and bytes after the last tensor are told', async () => {
  const one = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}';
  const two = '{"dtype":"F32","shape":[1],"data_offsets":[4,8]}';
  expect((await header(craft(`{"__metadata__":{},"a":${one}}`, new Uint8Array(4)))).metadata).toEqual({});
  await expect(header(craft(`{"a":${one},"a":${two}}`, new Uint8Array(8)))).rejects.toThrow(FileFormatError);
  await expect(header(craft(`{"a":${one}}`, new Uint8Array(8)))).rejects.toThrow('describes');
});

test.each<[string, Uint8Array, new (...args: never[]) => Error, RegExp]>([
  ['empty', new Uint8Array(), FileFormatError, /truncated/],
  [
    'header longer than the file',
    Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255, 123),
    FileFormatError,
    /header of 1844/,
  ],
  ['not JSON', craft('{"a":'), FileFormatError, /valid JSON/],
  ['not UTF-8', craft({}, new Uint8Array()).map((b, i) => (i === 8 ? 0xff : b)), FileFormatError, /UTF-8/],
  ['an array', craft('[]'), FileFormatError, /an array where an object/],
  ['no shape', craft({ a: { dtype: 'F32', data_offsets: [0, 4] } }, new Uint8Array(4)), FileFormatError, /"a" lacks/],
  [
    'unknown type',
    craft({ a: { dtype: 'Q9', shape: [1], data_offsets: [0, 4] } }, new Uint8Array(4)),
    UnsupportedError,
    /"Q9"/,
  ],
  [
    'a lie about the size',
    craft({ a: { dtype: 'F32', shape: [9e15], data_offsets: [0, 4] } }, new Uint8Array(4)),
    FileFormatError,
    /offsets are \[0, 4\]/,
  ],
  [
    'sizes that overflow',
    craft({ a: { dtype: 'F32', shape: [1e9, 1e9, 1e9], data_offsets: [0, 4] } }, new Uint8Array(4)),
    FileFormatError,
    /2\^53/,
  ],
  [
    'negative size',
    craft({ a: { dtype: 'F32', shape: [-1], data_offsets: [4, 0] } }, new Uint8Array(4)),
    FileFormatError,
    /natural numbers/,
  ],
  [
    'truncated data',
    craft({ a: { dtype: 'F32', shape: [2], data_offsets: [0, 8] } }, new Uint8Array(4)),
    FileFormatError,
    /truncated or damaged/,
  ],
  [
    'data after the end',
    craft({ a: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } }, new Uint8Array(8)),
    FileFormatError,
    /truncated or damaged/,
  ],
  [
    'overlapping tensors',
    craft(
      { a: { dtype: 'F32', shape: [2], data_offsets: [0, 8] }, b: { dtype: 'F32', shape: [1], data_offsets: [4, 8] } },
      new Uint8Array(8),
    ),
    FileFormatError,
    /begins at byte/,
  ],
])('%s is refused', async (_, file, type, message) => {
  const error: unknown = await header(file).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(type);
  expect((error as Error).message).toMatch(message);
});

test('a tensor in two parts is refused', async () => {
  const part = craft({ a: { dtype: 'U8', shape: [1], data_offsets: [0, 1] } }, new Uint8Array(1));
  await expect(safetensorsWeights([memorySource('1', part), memorySource('2', part)])).rejects.toThrow(MismatchError);
});

test('writing: aligned, padded, deterministic, and read back', async () => {
  const tensors: [string, WritableTensor][] = [
    ['layers.10.mlp.vector', { dtype: 'F32', shape: [2, 1], data: Float32Array.of(1.5, Number.NEGATIVE_INFINITY) }],
    ['half', { dtype: 'F16', shape: [1], data: floatToHalf(Float32Array.of(0.25)) }],
    ['7', { dtype: 'I64', shape: [1], data: BigInt64Array.of(-5n) }],
    ['empty', { dtype: 'F32', shape: [0, 4], data: new Float32Array() }],
  ];
  const file = writeSafetensors(new Map(tensors), { model: '{"name":"ü"}', format: 'x/1' });
  expect(file).toEqual(writeSafetensors(new Map(tensors.reverse()), { format: 'x/1', model: '{"name":"ü"}' }));
  expect(Number(new DataView(file.buffer).getBigUint64(0, true)) % 8).toBe(0);
  const { metadata, entries } = await header(file);
  expect(metadata).toEqual({ model: '{"name":"ü"}', format: 'x/1' });
  for (const { info, start } of entries.values())
    expect(start % (info.byteLength || 1) === 0 || start % 4 === 0).toBe(true);
  const weights = await safetensorsWeights([memorySource('w', file)]);
  expect([...(await weights.read('layers.10.mlp.vector'))]).toEqual([1.5, Number.NEGATIVE_INFINITY]);
  expect([...(await weights.read('half'))]).toEqual([0.25]);
  expect(() => writeSafetensors(new Map([['a', { dtype: 'F32', shape: [3], data: new Float32Array(2) }]]))).toThrow(
    MismatchError,
  );
  expect(() =>
    writeSafetensors(new Map([['__metadata__', { dtype: 'F32', shape: [0], data: new Float32Array(0) }]])),
  ).toThrow(UsageError);
});
