import { expect, test } from 'vitest';
import { FileFormatError, UsageError } from '../errors.ts';
import { joinTexts, readTexts, readTokenIds } from './text.ts';

const file = (name: string, text: string) => ({ name, bytes: new TextEncoder().encode(text) });
const parse = (text: string) => readTokenIds(file('ids.json', text), 10);

test('plain text stays as it is; JSON lines give one text each; all are joined by blank lines', () => {
  expect(readTexts(file('a.raw', ' x\r\n'))).toEqual([' x\r\n']);
  const lines = file('b.jsonl', '{"text":"one\\n"}\n\n{"text":"zwei ü","id":3}\r\n');
  expect(readTexts(lines)).toEqual(['one\n', 'zwei ü']);
  expect(joinTexts([file('a.txt', 'first'), lines])).toBe('first\n\none\n\n\nzwei ü');
});

test('wrong text files are refused with file, line and remedy', () => {
  expect(() => readTexts(file('a.pdf', 'x'))).toThrow(/a\.pdf is not a kind of text file/);
  expect(() => readTexts(file('a.jsonl', '{"text":"x"}\n{oops'))).toThrow(/a\.jsonl, line 2, is not valid JSON/);
  expect(() => readTexts(file('a.jsonl', '{"content":"x"}'))).toThrow(/line 1, has no "text" field/);
  expect(() => readTexts({ name: 'a.txt', bytes: Uint8Array.of(0xff) })).toThrow(FileFormatError);
  expect(() => joinTexts([file('a.txt', ' \n')])).toThrow(UsageError);
});

test('token ids are read as they are, and checked', () => {
  expect(parse('[[0,1],[9,3,4]]')).toEqual([Int32Array.of(0, 1), Int32Array.of(9, 3, 4)]);
  for (const [text, message] of [
    ['{}', /ids\.json is an object; it should be a JSON array of windows/],
    ['[]', /is an empty array/],
    ['7', /is the number 7/],
    ['[1,2]', /window 0 is not an array/],
    ['[[1,2],[3]]', /window 1 has 1 tokens/],
    ['[[1,10]]', /window 0 has 10 at place 1; token ids of this model are integers from 0 to 9/],
    ['[[1,-1]]', /has -1/],
    ['[[1.5,2]]', /has 1.5/],
    ['[["a",2]]', /has "a"/],
  ] as const) {
    expect(() => parse(text)).toThrow(message);
  }
});
