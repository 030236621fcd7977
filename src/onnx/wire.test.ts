import { ModelProtoSchema } from 'onnx-buf';
import { describe, expect, it } from 'vitest';
import { FileFormatError } from '../errors.ts';
import { readModel } from './read.ts';
import { checkWireFormat } from './wire.ts';

/** A length-delimited protobuf record of field `number`. */
function record(number: number, body: Uint8Array): Uint8Array {
  const length: number[] = [];
  for (let rest = body.length; ; rest = Math.floor(rest / 128)) {
    length.push(rest < 128 ? rest : (rest % 128) + 128);
    if (rest < 128) break;
  }
  return Buffer.concat([Uint8Array.of((number << 3) | 2), Uint8Array.from(length), body]);
}

const GRAPH = 7;
const NODE = 1;
const INITIALIZER = 5;
const INT64_DATA = 7;
const ATTRIBUTE = 5;
const NESTED_GRAPH = 6;

function refused(bytes: Uint8Array): string {
  const before = process.memoryUsage().rss;
  let message = '';
  try {
    readModel(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(FileFormatError);
    message = error instanceof Error ? error.message : '';
  }
  expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 28);
  return message;
}

describe('checkWireFormat', () => {
  it('refuses a small file of millions of empty nodes before any of them is made', () => {
    const nodes = new Uint8Array(2 * 4_000_000).map((_, index) => (index % 2 === 0 ? (NODE << 3) | 2 : 0));
    expect(refused(record(GRAPH, nodes))).toMatch(/describes more objects than a model needs/);
  });

  it('refuses millions of one-byte integers, which would each become an object', () => {
    expect(refused(record(GRAPH, record(INITIALIZER, record(INT64_DATA, new Uint8Array(2 ** 24)))))).toMatch(
      /describes more objects/,
    );
  });

  it('accepts a large tensor of raw bytes, which need no decoding', () => {
    const RAW_DATA = 9;
    expect(() =>
      checkWireFormat(ModelProtoSchema, record(GRAPH, record(INITIALIZER, record(RAW_DATA, new Uint8Array(2 ** 25))))),
    ).not.toThrow();
  });

  it('refuses graphs nested in graphs without end', () => {
    let bytes: Uint8Array = new Uint8Array();
    for (let depth = 0; depth < 1000; depth++) bytes = record(NODE, record(ATTRIBUTE, record(NESTED_GRAPH, bytes)));
    expect(refused(record(GRAPH, bytes))).toMatch(/nests messages deeper than 64/);
  });

  it.each<[string, readonly number[], RegExp]>([
    [
      'a record longer than the file',
      [0x3a, 0xff, 0xff, 0xff, 0xff, 0x07],
      /says that it is 2147483647 bytes long, but 0 remain/,
    ],
    [
      'a record longer than its message',
      [0x3a, 0x02, 0x0a, 0x05, 0, 0, 0, 0, 0],
      /says that it is 5 bytes long, but 0 remain/,
    ],
    [
      'a number that runs past its message',
      [0x42, 0x02, 0x10, 0x80, 0x01],
      /record at byte 2 runs past the end of its message/,
    ],
    ['a graph that is a number', [0x38, 0x01], /field graph of ModelProto at byte 0 has the wrong wire type 0/],
    ['an end without a start', [0xa4, 0x06], /records cannot be read/],
    ['a field number of zero', [0x00, 0x00], /records cannot be read at byte/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => checkWireFormat(ModelProtoSchema, Uint8Array.from(bytes))).toThrow(FileFormatError);
    expect(() => checkWireFormat(ModelProtoSchema, Uint8Array.from(bytes))).toThrow(message);
  });
});
