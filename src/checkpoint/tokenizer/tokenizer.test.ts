import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FileFormatError, MismatchError, MissingError, UnsupportedError, UsageError } from '../../errors.ts';
import type { JsonRecord } from '../files/json.ts';
import { openCheckpoint } from '../folder.ts';
import { writeSafetensors } from '../formats/safetensors/safetensors-write.ts';
import { memoryFiles } from '../testing/memory-files.ts';
import { safeCuts } from './safe-cuts.ts';
import { bytePairs } from './steps/byte-pairs.ts';
import { tokenStream } from './token-stream.ts';
import { createTokenizer, loadTokenizer } from './tokenizer.ts';

interface Fixture {
  texts: string[];
  cases: { name: string; tokenizer: JsonRecord; ids: number[][]; withSpecial: number[]; decoded: string[] }[];
}
const fixture = JSON.parse(await readFile(join(import.meta.dirname, '../fixtures/tokenizers.json'), 'utf8')) as Fixture;
const caseOf = (name: string) => fixture.cases.find((each) => each.name === name)?.tokenizer ?? {};
const make = (
  tokenizer: JsonRecord,
  rest: Partial<Record<'tokenizerConfig' | 'config' | 'generationConfig', JsonRecord>> = {},
) => createTokenizer({ name: 'tiny', tokenizer, tokenizerConfig: {}, config: {}, generationConfig: {}, ...rest });

describe.each(fixture.cases)(
  '$name gives what the Python package gives',
  ({ tokenizer, ids, withSpecial, decoded }) => {
    const subject = make(tokenizer);
    test.each(fixture.texts.map((text, i) => [text.slice(0, 40), i]))('%j', (_, i) => {
      expect(subject.encode(fixture.texts[i] ?? '', { addSpecialTokens: false })).toEqual(ids[i]);
      expect(subject.decode(ids[i] ?? [])).toBe(decoded[i]);
    });
    test('with special tokens', () => expect(subject.encode(fixture.texts[0] ?? '').slice(0, 4)).toEqual(withSpecial));
    test('token by token the text is the same', () => {
      const stream = tokenStream(subject);
      let text = '';
      for (const id of ids[0] ?? []) text += stream.push(id);
      expect(text + stream.flush()).toBe(decoded[0]);
    });
  },
);

test('cutting a text where no merge can span changes no ids', () => {
  const { model } = caseOf('llama') as { model: JsonRecord };
  const merges = ['▁ t', ['▁t', 'h'], 'f 😀', '▁ ▁'];
  const ids = new Map([...'▁thef😀x\n'].map((character, id) => [character, id]));
  expect(safeCuts({ merges }, ids)?.('▁the▁▁f😀x\n文文x')).toEqual(['▁th', 'e', '▁▁', 'f😀', 'x', '\n文文x']);
  expect(safeCuts({ ...model, ignore_merges: true }, ids)).toBeUndefined();
  // A suffix that no text ends with switches the cuts off.
  const whole = bytePairs({ ...model, end_of_word_suffix: '\u{10ffff}' });
  const cut = bytePairs(model);
  const piece = fc.oneof(
    fc.constantFrom(' ', '  ', '▁', 'the', 'th', 'e', '\n', '.', 'é', '文', '😀', '<s>', 'ing', 'an'),
    fc.string({ maxLength: 3, unit: 'binary' }),
  );
  fc.assert(
    fc.property(fc.array(piece, { minLength: 120, maxLength: 200 }), (pieces) => {
      const text = `${pieces.join('')}\u{10ffff}`;
      expect(cut.encode(text).slice(0, -4)).toEqual(whole.encode(text).slice(0, -8));
    }),
    { numRuns: 40, seed: 1 },
  );
});

test('the stream holds a character back until it is whole', () => {
  const subject = make(caseOf('gpt-2'));
  const ids = subject.encode('a𝄞b', { addSpecialTokens: false });
  const stream = tokenStream(subject);
  const pieces = ids.map((id) => stream.push(id));
  expect(ids.length).toBeGreaterThan(3);
  expect(pieces.filter((piece) => piece !== '')).toEqual(['a', '𝄞', 'b']);
  expect(stream.push(ids[1] ?? 0)).toBe('');
  expect(stream.flush()).toBe('\ufffd');
});

test('special tokens, ends of text and the chat template', () => {
  const tokenizer = make(caseOf('smollm'), {
    tokenizerConfig: {
      bos_token: '<|im_start|>',
      eos_token: { content: '<|im_end|>' },
      chat_template:
        "{% for m in messages %}{{'<|im_start|>' + m['role'] + '\n' + m['content'] + eos_token + '\n'}}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    },
    generationConfig: { eos_token_id: [2, 0] },
  });
  expect([tokenizer.vocabularySize, tokenizer.bosTokenId, tokenizer.eosTokenIds]).toEqual([480, 1, [0, 2]]);
  const prompt = tokenizer.applyChatTemplate([{ role: 'user', content: 'Hi' }]);
  expect(prompt).toBe('<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n');
  const ids = tokenizer.encode(prompt, { addSpecialTokens: false });
  expect(ids[0]).toBe(1);
  expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe('user\nHi\nassistant\n');
  expect(() => make(caseOf('smollm')).applyChatTemplate([])).toThrow(MissingError);
  const strict = make(caseOf('smollm'), {
    tokenizerConfig: { chat_template: "{{ raise_exception('System role not supported') }}" },
  });
  expect(() => strict.applyChatTemplate([])).toThrow(/refuses these messages: System role not supported/);
  expect(() =>
    make(caseOf('smollm'), { tokenizerConfig: { chat_template: '{% if %}' } }).applyChatTemplate([]),
  ).toThrow(FileFormatError);
});

test('ids outside the vocabulary are refused on both ways', () => {
  const tokenizer = make(caseOf('gpt-2'), { config: { vocab_size: 500 } });
  expect(tokenizer.decode([499])).toBe('');
  expect(() => tokenizer.decode([500])).toThrow(UsageError);
  expect(() => tokenizer.decode([1.5])).toThrow(UsageError);
  expect(() => make(caseOf('gpt-2'), { config: { vocab_size: 100 } }).encode('the fox')).toThrow(MismatchError);
});

test('a model without tokenizer.json says what to do', async () => {
  const model = await openCheckpoint(
    memoryFiles('bare', {
      'config.json': new TextEncoder().encode('{}'),
      'model.safetensors': writeSafetensors(new Map()),
    }),
  );
  await expect(loadTokenizer(model)).rejects.toThrow(
    /bare has no tokenizer.json and no tokenizer.model. Put the model's own/,
  );
});

const bpe = (model: object) => ({ model: { type: 'BPE', vocab: { a: 0, b: 1 }, merges: [], ...model } });
test.each<[string, JsonRecord, typeof FileFormatError | typeof UnsupportedError, RegExp]>([
  ['no model', {}, FileFormatError, /no "model"/],
  ['an unknown type', { model: { type: 'Magic' } }, UnsupportedError, /"Magic"/],
  ['a wild id', bpe({ vocab: { a: 4e9 } }), FileFormatError, /"a" has the id 4000000000/],
  ['a negative id', bpe({ vocab: { a: -1 } }), FileFormatError, /has the id -1/],
  ['merges that are numbers', bpe({ merges: [[1, 2]] }), FileFormatError, /pairs of tokens/],
  ['no merges', bpe({ merges: null }), FileFormatError, /"model.merges" is not an array/],
  [
    'an endless step',
    { ...bpe({}), pre_tokenizer: { type: 'FixedLength', length: 0 } },
    FileFormatError,
    /FixedLength/,
  ],
  [
    'a broken pattern',
    { ...bpe({}), pre_tokenizer: { type: 'Split', pattern: { Regex: '(' }, behavior: 'Isolated' } },
    FileFormatError,
    /cannot be used/,
  ],
  ['an added token without content', { ...bpe({}), added_tokens: [{ id: 5 }] }, FileFormatError, /added token/],
  [
    'a Unigram unk_id beyond the end',
    { model: { type: 'Unigram', vocab: [['a', 0]], unk_id: 7 } },
    FileFormatError,
    /unk_id/,
  ],
])('%s is refused', (_, json, type, message) => {
  expect(() => make(json)).toThrow(type);
  expect(() => make(json)).toThrow(message);
});

test('a text of a megabyte is taken in short parts, so that its time grows with its length alone', () => {
  const { model } = caseOf('llama') as { model: JsonRecord };
  const page = fixture.texts.join(' ');
  const text = page.repeat(Math.ceil(2 ** 20 / page.length));
  const cut = safeCuts(model, new Map(Object.entries(model.vocab as Record<string, number>)));
  const parts = cut?.(text.replaceAll(' ', '▁')) ?? [text];
  expect(parts.join('')).toBe(text.replaceAll(' ', '▁'));
  expect(parts.reduce((longest, part) => Math.max(longest, part.length), 0)).toBeLessThan(1000);
});
