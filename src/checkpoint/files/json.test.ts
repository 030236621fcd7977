import { describe, expect, test } from 'vitest';
import { FileFormatError } from '../../errors.ts';
import { parseJson, parseJsonRecord } from './json.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);

describe('JSON as Python writes it', () => {
  test.each([
    [
      '{"a": Infinity, "b": [-Infinity, NaN, 1e5]}',
      { a: Number.POSITIVE_INFINITY, b: [Number.NEGATIVE_INFINITY, Number.NaN, 1e5] },
    ],
    ['{"NaN": "NaN and Infinity \\" -Infinity", "x": NaN}', { NaN: 'NaN and Infinity " -Infinity', x: Number.NaN }],
    ['[0.0, Infinity]', [0, Number.POSITIVE_INFINITY]],
    ['NaN', Number.NaN],
  ])('%s', (text, expected) => expect(parseJson(utf8(text), 'f')).toEqual(expected));

  test.each(['{"a": Infinite}', '{"a": +Infinity}', '{"a": NaN', '{"a": nan}', '{"a": None, "b": NaN}', "{'a': NaN}"])(
    'and nothing more: %s',
    (text) => {
      expect(() => parseJson(utf8(text), 'config.json')).toThrow(FileFormatError);
      expect(() => parseJson(utf8(text), 'config.json')).toThrow(
        /^config\.json is not valid JSON: .* Correct it there/,
      );
    },
  );
});

test('a value of the wrong kind and other bytes are told', () => {
  expect(() => parseJsonRecord(utf8('NaN'), 'f')).toThrow('f holds a number where an object is expected.');
  expect(() => parseJson(Uint8Array.of(0xff), 'f')).toThrow('f is not UTF-8 text.');
});
