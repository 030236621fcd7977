import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { diskFolder } from '../checkpoint/files/disk.ts';
import { openCheckpoint } from '../checkpoint/folder.ts';
import { loadTokenizer, type Tokenizer } from '../checkpoint/tokenizer/tokenizer.ts';
import { CancelledError, FileFormatError, UsageError } from '../errors.ts';
import { joinTexts } from './text.ts';
import { encodePieces, type TextSource, textPieces } from './text-stream.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);

function source(name: string, bytes: Uint8Array, chunk = 7): TextSource {
  return {
    name,
    byteLength: bytes.length,
    async *chunks() {
      for (let at = 0; at < bytes.length; at += chunk) yield bytes.slice(at, at + chunk);
    },
  };
}

async function together(pieces: AsyncIterable<string>): Promise<string> {
  let all = '';
  for await (const piece of pieces) all += piece;
  return all;
}

describe('the text of files in pieces', () => {
  const files = [
    { name: 'a.txt', bytes: utf8('\ufeffOne — two 😀.\n\nThree\r\n') },
    { name: 'b.jsonl', bytes: utf8('{"text":"é"}\n\n{"text":"two\\nlines 😀"}') },
    { name: 'c.md', bytes: utf8('') },
    { name: 'e.jsonl', bytes: utf8('\ufeff{"text":"from Windows"}\r\n{"text":"two"}\r\n') },
    { name: 'd.raw', bytes: utf8('\tend') },
  ];

  test.each([1, 2, 3, 7, 1000])('is that of the files as a whole, read %i bytes at a time', async (chunk) => {
    let read = 0;
    const pieces = textPieces(
      files.map(({ name, bytes }) => source(name, bytes, chunk)),
      (count) => (read += count),
    );
    expect(await together(pieces)).toBe(joinTexts(files));
    expect(read).toBe(files.reduce((sum, { bytes }) => sum + bytes.length, 0));
  });

  test('is refused where it is no text, with the place', async () => {
    const broken = Uint8Array.from([...utf8('abcdefghij'), 0xff, 0xfe, 65]);
    await expect(together(textPieces([source('a.txt', broken)]))).rejects.toThrow(
      'a.txt is not UTF-8 text: bytes 7 to 13 are something else.',
    );
    const wide = (mark: string, swap: boolean) => {
      const bytes = new Uint8Array(Uint16Array.from([...`${mark}Once upon a time`], (c) => c.charCodeAt(0)).buffer);
      return swap ? bytes.map((_, index) => bytes[index ^ 1] ?? 0) : bytes;
    };
    for (const mark of ['\ufeff', ''])
      for (const [swap, name] of [
        [false, 'UTF-16LE'],
        [true, 'UTF-16BE'],
      ] as const) {
        const remedy = `iconv -f ${name} -t UTF-8`;
        await expect(together(textPieces([source('w.txt', wide(mark, swap), 1000)]))).rejects.toThrow(remedy);
        expect(() => joinTexts([{ name: 'w.txt', bytes: wide(mark, swap) }])).toThrow(remedy);
      }
    const zeros = source('z.txt', new Uint8Array(64), 1000);
    await expect(together(textPieces([zeros]))).rejects.toThrow('z.txt is no text: most of its first bytes are zero');
    await expect(together(textPieces([source('a.txt', utf8('é').slice(0, 1))]))).rejects.toThrow(FileFormatError);
    await expect(together(textPieces([source('a.jsonl', utf8('{"text":"a"}\n{"txt":1}'))]))).rejects.toThrow(
      'a.jsonl, line 2, has no "text" field that is a string.',
    );
    await expect(together(textPieces([source('a.pdf', utf8('%PDF'))]))).rejects.toThrow(UsageError);
  });
});

/** Tokenizers of different kinds: byte-level with words, SentencePiece's merges with and without a space before the text. */
const stories = await loadTokenizer(
  await openCheckpoint(await diskFolder(join(import.meta.dirname, '../../public/models/stories'))),
);
const gguf = await diskFolder(join(import.meta.dirname, '../checkpoint/fixtures/gguf'));
const fromGguf = async (weights: string) => loadTokenizer(await openCheckpoint(gguf, { weights }));
const tokenizers: readonly (readonly [string, Tokenizer])[] = [
  ['stories', stories],
  ['byte-level pairs', await fromGguf('qwen2.gguf')],
  ['SentencePiece with a space before', await fromGguf('llama.gguf')],
  ['SentencePiece without', await fromGguf('gemma3.gguf')],
];

const story = await readFile(join(import.meta.dirname, '../../public/models/stories/calibration.txt'), 'utf8');
const TEXTS: readonly (readonly [string, string])[] = [
  ['a story', story.slice(0, 30_000)],
  ['one line', story.slice(0, 20_000).replace(/\s+/g, ' ')],
  ['the same again and again', 'Once upon a time. '.repeat(1200)],
  ['line ends and spaces', `a\n\n\n  b\t\tc   \n ${'x \n\n y\n'.repeat(2000)}`],
  ['without spaces', '那只小猫坐在垫子上。它很高兴！'.repeat(700)],
  ['mixed', 'café 😀 naïve\r\n\u2028x\u0301 123,456.78 — “q” <s> </s> \u00a0z '.repeat(500)],
];

async function* cutInto(text: string, length: number): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += length) yield text.slice(at, at + length);
}

describe.each(tokenizers)('tokens of a text in pieces by %s', (_, tokenizer) => {
  test.each(TEXTS)('are those of the whole: %s', async (_, text) => {
    const whole = tokenizer.encode(text, { addSpecialTokens: false });
    for (const pieceLength of [512, 3000])
      expect([...(await encodePieces(cutInto(text, 999), tokenizer, { pieceLength }))]).toEqual(whole);
    expect([...(await encodePieces(cutInto(text, 999), tokenizer, { pieceLength: 512, maxTokens: 777 }))]).toEqual(
      whole.slice(0, 777),
    );
  });
});

test('no more is read and tokenised than is needed', async () => {
  let read = 0;
  let encoded = 0;
  async function* endless() {
    for (;;) {
      read += 1000;
      yield 'some words here. '.repeat(60).slice(0, 1000);
    }
  }
  const counting = {
    encode: (text: string, options?: { readonly addSpecialTokens?: boolean }) => {
      encoded += text.length;
      return stories.encode(text, options);
    },
  };
  expect((await encodePieces(endless(), counting, { maxTokens: 100 })).length).toBe(100);
  expect(read).toBeLessThan(150_000);
  expect(encoded).toBeLessThan(150_000);
});

test('is cancelled between pieces', async () => {
  const controller = new AbortController();
  async function* pieces() {
    yield 'a b '.repeat(1000);
    controller.abort();
    yield 'a b '.repeat(1000);
  }
  await expect(encodePieces(pieces(), stories, { signal: controller.signal, pieceLength: 512 })).rejects.toThrow(
    CancelledError,
  );
});

test('a text that its tokenizer lets nobody cut is refused in a sentence', async () => {
  const lengths = { encode: (text: string) => [text.length] };
  const failing = encodePieces(cutInto('ab '.repeat(5000), 1000), lengths, { pieceLength: 512, largestPiece: 2048 });
  await expect(failing).rejects.toThrow(UsageError);
  await expect(failing).rejects.toThrow(
    /^The text has \d+ characters without a place where its tokenizer lets it be cut/,
  );
});
