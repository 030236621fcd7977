import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileFormatError, UnsupportedError } from '../../../errors.ts';
import { memorySource } from '../../files/memory.ts';
import { companionFiles } from '../companion-files.ts';
import { loadTokenizer } from '../tokenizer.ts';
import { readSentencePieceModel } from './model-file.ts';

/** Small models and what SentencePiece itself makes of texts with them (scripts/fixtures/make_sentencepiece.py). */
interface Case {
  readonly name: string;
  /** Base64. */
  readonly model: string;
  readonly ids: readonly number[][];
  readonly decoded: readonly string[];
  /** Ids of the tokens that begin, end, are unknown and pad. */
  readonly special: readonly [number, number, number, number];
}
const { texts, cases } = JSON.parse(
  await readFile(join(import.meta.dirname, '../../fixtures/sentencepiece.json'), 'utf8'),
) as { texts: string[]; cases: Case[] };

/** The first byte's id where there are three special tokens. */
const BYTES_FROM = 3;

const bytesOf = ({ model }: Case) => Uint8Array.from(Buffer.from(model, 'base64'));

/** The tokenizer of a folder with these files. */
function open(files: Readonly<Record<string, Uint8Array | object>>) {
  const contents = new Map(
    Object.entries(files).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? value : new TextEncoder().encode(JSON.stringify(value)),
    ]),
  );
  const file = companionFiles({
    name: 'test',
    list: async () => [...contents.keys()],
    open: async (name) => {
      const bytes = contents.get(name);
      return bytes && memorySource(name, bytes);
    },
  });
  return loadTokenizer({ provenance: { name: 'test', format: 'safetensors' }, config: {}, file });
}

describe.each(cases)('a tokenizer.model alone: $name', (each) => {
  test.each(texts.map((text, index) => ({ text, index })))(
    'text $index has SentencePiece’s ids',
    async ({ text, index }) => {
      const tokenizer = await open({ 'tokenizer.model': bytesOf(each) });
      const ids = tokenizer.encode(text, { addSpecialTokens: false });
      if (each.name === 'Unigram with bytes' && text.includes('<0x41>')) {
        // The tokenizers package, and so tokenizer.json, takes the name of a byte for the byte.
        expect(ids).toContain(BYTES_FROM + 0x41);
        return;
      }
      expect(ids).toEqual(each.ids[index]);
      // For what is unknown SentencePiece writes a sign.
      if (!ids.includes(each.special[2]))
        expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(each.decoded[index]);
    },
  );

  test('names its special tokens', async () => {
    const tokenizer = await open({ 'tokenizer.model': bytesOf(each) });
    const [beginning, end] = each.special;
    expect([tokenizer.bosTokenId, tokenizer.eosTokenIds]).toEqual([beginning, [end]]);
    const isBegun = tokenizer.encode('a')[0] === beginning;
    expect(isBegun).toBe(each.name.startsWith('BPE'));
  });
});

const [llama] = cases;
if (!llama) throw new Error('There are no cases.');

test('tokenizer_config.json says what is put around a text, and which tokens are added', async () => {
  const tokenizer = await open({
    'tokenizer.model': bytesOf(llama),
    'tokenizer_config.json': {
      ...{ add_bos_token: false, add_eos_token: true, eos_token: '<|end|>', chat_template: '{{ bos_token }}' },
      added_tokens_decoder: { 520: { content: '<|end|>', special: true } },
    },
  });
  expect(tokenizer.eosTokenIds).toEqual([520]);
  expect(tokenizer.encode('a<|end|>', { addSpecialTokens: false }).at(-1)).toBe(520);
  expect(tokenizer.encode('a')[0]).not.toBe(tokenizer.bosTokenId);
  expect(tokenizer.applyChatTemplate([])).toBe('<s>');
});

test('a tokenizer.json beside it goes before it', async () => {
  const tokenizer = { model: { type: 'BPE', vocab: { a: 0 }, merges: [] } };
  const found = await open({ 'tokenizer.model': bytesOf(llama), 'tokenizer.json': tokenizer });
  expect(found.vocabularySize).toBe(1);
});

test('what is no SentencePiece model is refused in one sentence', () => {
  const whole = bytesOf(llama);
  for (let length = 0; length < whole.length; length += 97) {
    try {
      expect(readSentencePieceModel(whole.subarray(0, length), 'tokenizer.model').pieces.length).toBeGreaterThan(0);
    } catch (error) {
      expect(error).toBeInstanceOf(FileFormatError);
      expect(String(error)).toContain('tokenizer.model is no SentencePiece model');
    }
  }
  for (let seed = 1; seed < 300; seed++) {
    const damaged = whole.slice();
    for (let i = 0; i < 4; i++) damaged[(seed * 7919 * (i + 1)) % damaged.length] = (seed * 31 + i * 101) % 256;
    try {
      readSentencePieceModel(damaged, 'tokenizer.model');
    } catch (error) {
      expect(error instanceof FileFormatError || error instanceof UnsupportedError, String(error)).toBe(true);
    }
  }
  // TrainerSpec.model_type = WORD.
  expect(() => readSentencePieceModel(Uint8Array.of(10, 3, 10, 1, 97, 18, 2, 24, 3), 'tokenizer.model')).toThrow(
    UnsupportedError,
  );
});
