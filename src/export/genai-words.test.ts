import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { JsonRecord } from '../checkpoint/files/json.ts';
import { genaiWords, genaiWordsNote } from './genai-words.ts';

/** What ONNX Runtime GenAI itself made of rules for words (scripts/fixtures/genai_words.py). */
const { cases } = JSON.parse(await readFile(join(import.meta.dirname, 'fixtures/genai-words.json'), 'utf8')) as {
  cases: { name: string; preTokenizer: JsonRecord; outcome: string }[];
};
const tokenizer = (preTokenizer: unknown): JsonRecord => ({
  pre_tokenizer: preTokenizer,
  model: { type: 'BPE', vocab: {}, merges: [] },
});

test.each(cases)('the words of $name are those of ONNX Runtime GenAI: $outcome', ({ preTokenizer, outcome }) => {
  const words = genaiWords(tokenizer(preTokenizer));
  expect(words.kind).toBe(outcome);
  expect(genaiWordsNote(words)).toEqual(outcome === 'same' ? undefined : expect.stringContaining('ONNX Runtime GenAI'));
});

test('the sentence names the part that is not known', () => {
  const own = cases.find(({ name }) => name === 'stories')?.preTokenizer;
  expect(genaiWordsNote(genaiWords(tokenizer(own)))).toContain("`'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}`");
  expect(
    genaiWordsNote(genaiWords(tokenizer(cases.find(({ name }) => name === 'digits one by one')?.preTokenizer))),
  ).toContain('the step "Digits"');
});

test('vocabularies that are not byte-level are not judged', () => {
  const spelled = { type: 'BPE', byte_fallback: true, vocab: {}, merges: [] };
  expect(genaiWords({ pre_tokenizer: null, model: spelled }).kind).toBe('same');
  expect(genaiWords({ pre_tokenizer: null, model: { type: 'Unigram', vocab: [] } }).kind).toBe('same');
  expect(genaiWords(tokenizer(null)).kind).toBe('other');
});
