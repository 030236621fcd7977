import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UnsupportedError, UsageError } from '../../../errors.ts';
import type { JsonRecord } from '../../files/json.ts';
import { createTokenizer, type Tokenizer } from '../tokenizer.ts';
import { chooseTokens, parseVocabularyTarget } from './choose.ts';
import { tokenParts } from './parts.ts';
import { renumbering, trimmedIds, trimmedTokenizer, trimmedTokenizerConfig } from './rewrite.ts';

/** Small tokenizers of every kind and multilingual texts (scripts/fixtures/make_tokenizers.py). */
const { texts, cases } = JSON.parse(
  await readFile(join(import.meta.dirname, '../../fixtures/tokenizers.json'), 'utf8'),
) as { texts: string[]; cases: { name: string; tokenizer: JsonRecord }[] };

const UNIGRAM: JsonRecord = {
  version: '1.0',
  added_tokens: [
    { id: 0, content: '<unk>', special: true, single_word: false, lstrip: false, rstrip: false, normalized: false },
  ],
  normalizer: null,
  pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
  post_processor: null,
  decoder: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
  model: {
    type: 'Unigram',
    unk_id: 0,
    byte_fallback: false,
    vocab: [
      ['<unk>', 0],
      ...[...'▁abcdehinorst.'].map((letter): [string, number] => [letter, -6]),
      ['▁the', -2],
      ['in', -3],
      ['▁cat', -4],
      ['er', -3.5],
      ['▁a', -2.5],
    ],
  },
};

const open = (tokenizer: JsonRecord): Tokenizer =>
  createTokenizer({ name: 'test', tokenizer, tokenizerConfig: {}, generationConfig: {}, config: {} });

function trimmed(tokenizer: JsonRecord, keep: string, text: string) {
  const parts = tokenParts(tokenizer, 'test');
  const whole = open(tokenizer);
  const uses = new Float64Array(whole.vocabularySize);
  for (const id of whole.encode(text, { addSpecialTokens: false })) uses[id] = (uses[id] ?? 0) + 1;
  const kept = chooseTokens(parts, uses, parseVocabularyTarget(keep));
  return { whole, kept, small: open(trimmedTokenizer(tokenizer, renumbering(kept))) };
}

const kinds = [...cases, { name: 'unigram', tokenizer: UNIGRAM }];

describe.each(kinds)('a smaller vocabulary of $name', ({ tokenizer }) => {
  const sample = texts[1] ?? '';
  const [whole, half] = [open(tokenizer), trimmed(tokenizer, '0.75', sample)];

  test('has the size that was asked for, in the order of the old ids', () => {
    expect(half.kept.length).toBeLessThanOrEqual(Math.floor(0.75 * whole.vocabularySize));
    expect(half.kept.length).toBeGreaterThan(0.7 * whole.vocabularySize);
    expect(half.small.vocabularySize).toBe(half.kept.length);
    expect(half.kept).toEqual([...half.kept].sort((a, b) => a - b));
  });

  test.each(texts.map((text, index) => ({ text, index })))('text $index is read back as before', ({ text }) => {
    const read = (each: Tokenizer) => each.decode(each.encode(text, { addSpecialTokens: false }));
    expect(read(half.small)).toBe(read(whole));
  });

  test('any text is read back as before', () => {
    const unit = fc.oneof(fc.string({ unit: 'binary', maxLength: 8 }), fc.constantFrom(...texts.slice(1, 12)));
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 4 }), (pieces) => {
        const text = pieces.join(' ');
        const read = (each: Tokenizer) => each.decode(each.encode(text, { addSpecialTokens: false }));
        expect(read(half.small)).toBe(read(whole));
      }),
      { numRuns: 100 },
    );
  });

  test('text whose tokens all stay has the same ones', () => {
    const { kept, small } = trimmed(tokenizer, 'seen', texts[0] ?? '');
    const newIds = renumbering(kept);
    for (const text of texts) {
      const ids = whole.encode(text, { addSpecialTokens: false });
      if (ids.every((id) => newIds.has(id)))
        expect(small.encode(text, { addSpecialTokens: false })).toEqual(ids.map((id) => newIds.get(id)));
    }
    const first = whole.encode(texts[0] ?? '', { addSpecialTokens: false });
    expect(first.every((id) => newIds.has(id))).toBe(true);
  });

  test('a size below what every text needs is refused with the size that it needs', () => {
    expect(() => trimmed(tokenizer, '2', sample)).toThrow(UsageError);
    expect(() => trimmed(tokenizer, '2', sample)).toThrow(/Ask for at least \d+/);
  });
});

describe('what else names tokens', () => {
  const newIds = renumbering([0, 3, 7]);

  test('ids of configs follow, and those of tokens that are gone go', () => {
    expect(trimmedIds({ bos_token_id: 3, eos_token_id: [7, 5], pad_token_id: 5, hidden_size: 3 }, newIds)).toEqual({
      bos_token_id: 1,
      eos_token_id: [2],
      pad_token_id: null,
      hidden_size: 3,
    });
    expect(() => trimmedIds({ bad_words_ids: [[3]] }, newIds)).toThrow(UnsupportedError);
    expect(
      trimmedTokenizerConfig({ added_tokens_decoder: { 7: { content: '<s>' }, 5: { content: 'x' } } }, newIds),
    ).toEqual({
      added_tokens_decoder: { 2: { content: '<s>' } },
    });
  });

  test('special tokens around a text follow', () => {
    const template = {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      special_tokens: { '<s>': { id: '<s>', ids: [7], tokens: ['<s>'] } },
    };
    const vocab = { a: 0, b: 3, '<s>': 7 };
    const tokenizer = {
      added_tokens: [{ id: 7, content: '<s>' }],
      post_processor: template,
      model: { type: 'BPE', vocab, merges: [] },
    };
    expect(trimmedTokenizer(tokenizer, newIds)).toMatchObject({
      added_tokens: [{ id: 2 }],
      post_processor: { special_tokens: { '<s>': { ids: [2] } } },
      model: { vocab: { a: 0, b: 1, '<s>': 2 } },
    });
  });

  test('sizes are numbers, shares or "seen"', () => {
    expect(parseVocabularyTarget('2048')).toEqual({ kind: 'count', value: 2048 });
    expect(parseVocabularyTarget('0.5')).toEqual({ kind: 'share', value: 0.5 });
    expect(parseVocabularyTarget('seen')).toEqual({ kind: 'seen' });
    for (const wrong of ['', '0', '-3', '1.5', 'half']) expect(() => parseVocabularyTarget(wrong)).toThrow(UsageError);
  });

  test('other kinds are refused', () => {
    expect(() => tokenParts({ model: { type: 'WordPiece', vocab: {} } }, 'test')).toThrow(UnsupportedError);
  });
});
