import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { JsonRecord } from '../checkpoint/files/json.ts';
import { EXPORT_FORMATS } from '../decoder/dtypes.ts';
import { beginningNote, genaiWords, genaiWordsNote, textBeginning } from './genai-words.ts';
import { GENAI, samplesOfUse } from './samples-of-use.ts';

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

test('a token that begins texts is told, since ONNX Runtime GenAI leaves it out', () => {
  const template = {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
  };
  expect(textBeginning({ post_processor: template })).toBe('<s>');
  expect(textBeginning({ post_processor: { type: 'Sequence', processors: [{ type: 'ByteLevel' }, template] } })).toBe(
    '<s>',
  );
  expect(textBeginning({ post_processor: { type: 'ByteLevel' } })).toBeUndefined();
  expect(beginningNote('<s>')).toContain('puts no `<s>` before a text');
  const taken = {
    ...{
      format: 'onnx' as const,
      file: 'onnx/model.onnx',
      bytes: 1,
      type: 'fp32',
      opens: `transformers.js, ${GENAI}`,
      notes: [],
    },
    verification: {
      positions: 1,
      maxAbsoluteDifference: 0,
      rootMeanSquareDifference: 0,
      top1Agreement: 1,
      klDivergence: 0,
    },
  } as const;
  const code = (more: object) =>
    samplesOfUse(
      [{ ...taken, ...more, verification: { ...taken.verification, source: 'text' } }],
      EXPORT_FORMATS.f32,
    ).find(({ title }) => title === GENAI)?.code;
  expect(code({ beginning: '<s>' })).toContain('tokenizer.encode("<s>Once upon a time")');
  expect(code({})).toContain('tokenizer.encode("Once upon a time")');
});

test('vocabularies that are not byte-level are not judged', () => {
  const spelled = { type: 'BPE', byte_fallback: true, vocab: {}, merges: [] };
  expect(genaiWords({ pre_tokenizer: null, model: spelled }).kind).toBe('same');
  expect(genaiWords({ pre_tokenizer: null, model: { type: 'Unigram', vocab: [] } }).kind).toBe('same');
  expect(genaiWords(tokenizer(null)).kind).toBe('other');
});
