import { expect, test } from 'vitest';
import type { JsonRecord } from '../files/json.ts';
import { createTokenizer } from './tokenizer.ts';

/** Added tokens beside white space, and what stands at the beginning of a text: ids of the Python package tokenizers 0.23. */

const CHARACTERS = ['<unk>', ...'abks \n▁ſ\u212aÉé\u{10ffff}'];
const ADDED = CHARACTERS.length;

const tokenizerOf = (parts: JsonRecord) =>
  createTokenizer({
    name: 'small',
    tokenizer: {
      ...parts,
      model: {
        type: 'BPE',
        unk_token: '<unk>',
        vocab: Object.fromEntries(CHARACTERS.map((each, id) => [each, id])),
        merges: [],
      },
    },
    tokenizerConfig: {},
    config: {},
    generationConfig: {},
  });

const token = (content: string, id: number, flags: JsonRecord) => ({ id, content, normalized: false, ...flags });
const both = { lstrip: true, rstrip: true };
const first = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: true };
const regex = (source: string) => ({ pattern: { Regex: source } });

test.each<readonly [string, JsonRecord, Readonly<Record<string, readonly number[]>>]>([
  [
    'a token that takes the spaces around it',
    { added_tokens: [token('<x>', ADDED, both), token(' ', 5, both)] },
    { '   ': [5], 'a  b': [1, 5, 2], ' <x>  <x> ': [5, 13, 13], ' <x> <x>a': [5, 13, 13, 1] },
  ],
  [
    'a token that takes the spaces behind it',
    { added_tokens: [token('<x>', ADDED, { rstrip: true }), token(' ', 5, {})] },
    { '<x>  a': [13, 5, 5, 1], ' <x> <x>a': [5, 13, 5, 13, 1] },
  ],
  [
    'a token that takes the spaces before it',
    { added_tokens: [token('<x>', ADDED, { lstrip: true }), token(' ', 5, {})] },
    { 'a  <x>a': [1, 5, 5, 13, 1], ' <x> <x>a': [5, 13, 5, 13, 1] },
  ],
  [
    'a token that is a word of its own',
    { added_tokens: [token('<x>', ADDED, { ...both, single_word: true })] },
    { 'a<x> b': [1, 0, 0, 0, 5, 2], 'a <x> b': [1, 13, 2], '<x>b <x> a': [0, 0, 0, 2, 13, 1] },
  ],
  [
    'a beginning that a normalizer strips',
    { normalizer: { type: 'Strip', strip_left: true, strip_right: true }, pre_tokenizer: first },
    { a: [7, 1], ' a': [1], '\n\n a b': [1, 7, 2] },
  ],
  [
    'a beginning that loses its accent',
    { normalizer: { type: 'StripAccents' }, pre_tokenizer: first },
    { a: [7, 1], '\u0301a': [1] },
  ],
  [
    'a beginning that a pre-tokenizer removes',
    { pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, first] } },
    { a: [7, 1], ' a': [1], 'a b': [7, 1, 2], '  a b': [1, 2] },
  ],
  [
    'letters without regard to case',
    { pre_tokenizer: { type: 'Split', ...regex('(?i)k|s'), behavior: 'Removed' } },
    { akb: [1, 2], 'a\u212ab': [1, 2], aſb: [1, 2], aKsSb: [1, 2] },
  ],
  [
    'matches of nothing',
    { normalizer: { type: 'Replace', ...regex('a*'), content: 'b' } },
    { aab: [2, 2, 2], b: [2, 2, 2], '\u{10ffff}': [2, 12, 2], '\u{10ffff}a': [2, 12, 2] },
  ],
])('%s', (_, parts, texts) => {
  const tokenizer = tokenizerOf(parts);
  expect(Object.fromEntries(Object.keys(texts).map((text) => [text, tokenizer.encode(text)]))).toEqual(texts);
});

test('a token that is looked for in normalised text is decoded to that', () => {
  const lower = { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '▁' }, { type: 'Lowercase' }] };
  const tokenizer = tokenizerOf({
    added_tokens: [token('<X>', ADDED, { normalized: true })],
    normalizer: lower,
    decoder: { type: 'Fuse' },
  });
  expect(tokenizer.encode('<x>')).toEqual([ADDED]);
  expect(tokenizer.decode([ADDED, 1])).toBe('▁<x>a');
});
