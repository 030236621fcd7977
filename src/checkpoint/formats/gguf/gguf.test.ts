import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gguf as readByLibrary } from '@huggingface/gguf';
import { describe, expect, test } from 'vitest';
import { FileFormatError, MissingError, UnsupportedError } from '../../../errors.ts';
import type { Checkpoint } from '../../checkpoint.ts';
import { diskFolder } from '../../files/disk.ts';
import { memorySource } from '../../files/memory.ts';
import { openCheckpoint } from '../../folder.ts';
import { memoryFiles } from '../../testing/memory-files.ts';
import { loadTokenizer } from '../../tokenizer/tokenizer.ts';
import { readGgufHeader } from './gguf-header.ts';

interface Model {
  readonly file: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly ids: readonly (readonly number[])[];
}
const fixtures = join(import.meta.dirname, '../../fixtures');
const models = JSON.parse(await readFile(join(fixtures, 'gguf.json'), 'utf8')) as Model[];
const { texts } = JSON.parse(await readFile(join(fixtures, 'tokenizers.json'), 'utf8')) as { texts: string[] };
const files = await diskFolder(join(fixtures, 'gguf'));
const bytesOf = (file: string) => readFile(join(fixtures, 'gguf', file)).then((bytes) => new Uint8Array(bytes));

/** The formula of scripts/fixtures/make_gguf.py. */
function canonical(name: string, length: number): Float32Array {
  const sum = [...new TextEncoder().encode(name)].reduce((total, byte) => total + byte, 0);
  return Float32Array.from({ length }, (_, i) => (((i * 37 + sum) % 255) - 127) / 64);
}

async function expectTensor(model: Checkpoint, name: string): Promise<void> {
  const [rows = 1, ...rest] = model.tensors.get(name)?.shape ?? [];
  const rowSize = rest.reduce((product, size) => product * size, 1);
  const expected = canonical(name, rows * rowSize);
  expect(await model.read(name)).toEqual(expected);
  const [start, end] = [Math.floor(rows / 3), rows - 1];
  expect(await model.read(name, { start, end })).toEqual(expected.subarray(start * rowSize, end * rowSize));
}

describe.each(models)('$file', ({ file, config, ids }) => {
  test('the config is that of the model it was made from', async () => {
    const model = await openCheckpoint(files, { weights: file });
    expect(model.config).toMatchObject(config);
    const name = file.replace('.gguf', '');
    expect(model.provenance).toEqual({ name, licence: 'mit', format: 'gguf', described: { name } });
  });

  test('every tensor has its canonical name, order and values, whole and by rows', async () => {
    const model = await openCheckpoint(files, { weights: file });
    const names = [...model.tensors.keys()];
    expect(names.length).toBeGreaterThan(8);
    expect(names.filter((name) => !/^(model\.(embed_tokens|norm|layers\.\d+\.\w+)|lm_head)/.test(name))).toEqual([]);
    for (const name of names) await expectTensor(model, name);
  });

  test('the tokenizer gives the ids of the original one', async () => {
    const tokenizer = await loadTokenizer(await openCheckpoint(files, { weights: file }));
    for (const [i, text] of texts.entries()) {
      // SentencePiece itself takes control tokens for text; a model's tokenizer.json does not.
      if (file.startsWith('llama.') || file.startsWith('gemma')) if (/<s>|<\/s>/.test(text)) continue;
      expect([text, tokenizer.encode(text, { addSpecialTokens: false })]).toEqual([text, ids[i]]);
    }
    expect(tokenizer.eosTokenIds).toContain(2);
    expect(tokenizer.encode('a').at(0) === 1).toBe(file.startsWith('llama') || file.startsWith('gemma'));
  });

  test('the header is what @huggingface/gguf reads', async () => {
    const bytes = await bytesOf(file);
    const fetch = async (_: unknown, init?: RequestInit) => {
      const [, start, end] = /bytes=(\d+)-(\d+)/.exec(new Headers(init?.headers).get('Range') ?? '') ?? [];
      return new Response(bytes.slice(Number(start), Number(end) + 1), { status: 206 });
    };
    const theirs = await readByLibrary('https://host/model.gguf', { fetch: fetch as typeof globalThis.fetch });
    const ours = await readGgufHeader(memorySource(file, bytes));
    const plain = (value: unknown): unknown => {
      if (typeof value === 'bigint') return Number(value);
      if (Array.isArray(value) || ArrayBuffer.isView(value))
        return Array.from(value as ArrayLike<unknown>, (each) =>
          typeof each === 'boolean' ? Number(each) : plain(each),
        );
      return value;
    };
    const {
      version: _version,
      tensor_count: count,
      kv_count: keys,
      ...metadata
    } = theirs.metadata as Record<string, unknown>;
    expect([ours.tensors.size, ours.metadata.size]).toEqual([Number(count), Number(keys)]);
    for (const [key, value] of Object.entries(metadata))
      expect([key, plain(ours.metadata.get(key))]).toEqual([key, plain(value)]);
    for (const { name, shape, offset } of theirs.tensorInfos) {
      const tensor = ours.tensors.get(name);
      expect([tensor?.shape, tensor?.start]).toEqual([
        shape.map(Number).reverse(),
        Number(theirs.tensorDataOffset + offset),
      ]);
    }
  });
});

test('a chat template comes from the metadata', async () => {
  const tokenizer = await loadTokenizer(await openCheckpoint(files, { weights: 'qwen2.gguf' }));
  expect(tokenizer.applyChatTemplate([{ role: 'user', content: 'Hi' }])).toBe('<|im_start|>user\nHi<|im_end|>\n');
});

test('a tokenizer.json beside the file helps where the metadata cannot', async () => {
  const model = await bytesOf('qwen2.gguf');
  const text = new TextDecoder('latin1').decode(model);
  const pre = text.indexOf('qwen2', text.indexOf('tokenizer.ggml.pre'));
  expect(pre).toBeGreaterThan(0);
  const broken = model.slice();
  broken.set(new TextEncoder().encode('magic'), pre);
  const opened = await openCheckpoint(memoryFiles('m', { 'm.gguf': broken }));
  await expect(loadTokenizer(opened)).rejects.toThrow(/m\.gguf has the pre-tokenizer "magic"; known are/);
  const beside = new TextEncoder().encode(JSON.stringify({ model: { type: 'BPE', vocab: { a: 0 }, merges: [] } }));
  const helped = await openCheckpoint(memoryFiles('m', { 'm.gguf': broken, 'tokenizer.json': beside }));
  expect((await loadTokenizer(helped)).encode('a')).toEqual([0]);
});

/** A GGUF made by hand: metadata values as [type, bytes]. */
function craft(
  metadata: readonly [string, number, Uint8Array][],
  tensors: readonly [string, number[], number, number][],
  data = 0,
  version = 3,
): Uint8Array {
  const parts: Uint8Array[] = [];
  const u32 = (value: number) => parts.push(new Uint8Array(Uint32Array.of(value).buffer));
  const u64 = (value: number) => parts.push(new Uint8Array(BigUint64Array.of(BigInt(value)).buffer));
  const text = (value: string) => {
    u64(value.length);
    parts.push(new TextEncoder().encode(value));
  };
  parts.push(new TextEncoder().encode('GGUF'));
  u32(version);
  u64(tensors.length);
  u64(metadata.length);
  for (const [key, type, bytes] of metadata) {
    text(key);
    u32(type);
    parts.push(bytes);
  }
  for (const [name, shape, type, offset] of tensors) {
    text(name);
    u32(shape.length);
    for (const size of shape) u64(size);
    u32(type);
    u64(offset);
  }
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  parts.push(new Uint8Array(Math.ceil(length / 32) * 32 - length + data));
  return new Uint8Array(Buffer.concat(parts));
}
const u64Bytes = (...values: bigint[]) => new Uint8Array(BigUint64Array.from(values).buffer);
const u32Bytes = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer);
const join8 = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

test.each<[string, Uint8Array, typeof FileFormatError | typeof UnsupportedError, RegExp]>([
  ['empty', new Uint8Array(), FileFormatError, /truncated/],
  ['another file', new TextEncoder().encode('PK..............'), FileFormatError, /does not begin with "GGUF"/],
  ['version 1', craft([], [], 0, 1), UnsupportedError, /version 1/],
  ['big-endian', craft([], [], 0, 0x03000000), UnsupportedError, /big-endian/],
  [
    'a metadata count beyond the file',
    join8(craft([], []).slice(0, 16), u64Bytes(1n << 40n)),
    FileFormatError,
    /metadata count is 1099511627776, and only 0 bytes follow/,
  ],
  [
    'a number beyond 2^53',
    join8(craft([], []).slice(0, 8), u64Bytes(1n << 60n, 0n)),
    FileFormatError,
    /more than 2\^53/,
  ],
  [
    'an array longer than the file',
    craft([['k', 9, join8(u32Bytes(4), u64Bytes(1n << 33n))]], []),
    FileFormatError,
    /length of "k" is 8589934592/,
  ],
  [
    'a string longer than the file',
    craft([['k', 8, u64Bytes(1n << 33n)]], []),
    FileFormatError,
    /"k" needs 8589934592 bytes/,
  ],
  ['an unknown value type', craft([['k', 77, u32Bytes(0)]], []), FileFormatError, /unknown type 77/],
  [
    'arrays in arrays in arrays',
    craft([['k', 9, join8(...Array.from({ length: 9 }, () => join8(u32Bytes(9), u64Bytes(1n))))]], []),
    FileFormatError,
    /nested more than/,
  ],
  [
    'a key twice',
    craft(
      [
        ['k', 0, Uint8Array.of(1)],
        ['k', 0, Uint8Array.of(1)],
      ],
      [],
    ),
    FileFormatError,
    /entry "k" twice/,
  ],
  ['five axes', craft([], [['t', [1, 1, 1, 1, 1], 0, 0]], 4), FileFormatError, /5 axes/],
  [
    'an unread quantisation',
    craft([], [['t', [256], 16, 0]], 200),
    UnsupportedError,
    /stored as IQ2_XXS; supported are F32, .* Take a Q4_K_M/,
  ],
  ['rows that are no whole blocks', craft([], [['t', [33], 8, 0]], 200), FileFormatError, /rows of 33 values/],
  ['a tensor beyond the end', craft([], [['t', [2 ** 40], 0, 0]], 4), FileFormatError, /truncated: tensor "t"/],
  ['sizes that overflow', craft([], [['t', [2 ** 40, 2 ** 40], 0, 0]], 4), FileFormatError, /2\^53/],
  ['an unaligned offset', craft([], [['t', [1], 0, 4]], 16), FileFormatError, /multiple of the alignment/],
  [
    'a strange alignment',
    craft([['general.alignment', 4, u32Bytes(24)]], []),
    FileFormatError,
    /"general.alignment" is 24/,
  ],
  [
    'a tensor twice',
    craft(
      [],
      [
        ['t', [1], 0, 0],
        ['t', [1], 0, 0],
      ],
      4,
    ),
    FileFormatError,
    /tensor "t" twice/,
  ],
])('%s is refused', async (_, bytes, type, message) => {
  const error: unknown = await readGgufHeader(memorySource('x.gguf', bytes)).catch((e: unknown) => e);
  expect((error as Error).message).toMatch(message);
  expect(error).toBeInstanceOf(type);
});

test('a model that makes no sense as a whole is refused', async () => {
  const string = (value: string) => join8(u64Bytes(BigInt(value.length)), new TextEncoder().encode(value));
  const open = (bytes: Uint8Array, name = 'x.gguf') => openCheckpoint(memoryFiles('m', { [name]: bytes }));
  await expect(open(craft([], []))).rejects.toThrow(MissingError);
  await expect(open(craft([['general.architecture', 8, string('mamba')]], []))).rejects.toThrow(
    /"mamba"; GGUF files are read for llama/,
  );
  await expect(open(craft([['general.architecture', 4, u32Bytes(1)]], []))).rejects.toThrow(
    /is the number 1 where a text is expected/,
  );
  await expect(open(craft([['general.architecture', 8, string('llama')]], []))).rejects.toThrow(
    /no tensor "token_embd.weight"/,
  );
  const embedding: [string, number[], number, number] = ['token_embd.weight', [8, 4], 0, 0];
  await expect(open(craft([['general.architecture', 8, string('llama')]], [embedding], 128))).rejects.toThrow(
    /no metadata entry "llama.embedding_length"/,
  );
  const split = craft(
    [
      ['general.architecture', 8, string('llama')],
      ['split.count', 2, Uint8Array.of(2, 0)],
    ],
    [embedding],
    128,
  );
  await expect(open(split)).rejects.toThrow(/is the first of 2 parts/);
  await expect(open(split, 'x-00001-of-00002.gguf')).rejects.toThrow(
    /no file "x-00002-of-00002.gguf", one of the 2 parts/,
  );
});

test('a head dimension of a billion asks for no memory', async () => {
  const bytes = await readFile(join(import.meta.dirname, '../../fixtures/gguf/llama3.gguf'));
  for (const key of ['llama.attention.key_length', 'llama.attention.value_length', 'llama.rope.dimension_count']) {
    // The key, its type (a 32-bit number), its value.
    const at = bytes.indexOf(key);
    if (at >= 0) bytes.writeUInt32LE(2 ** 30, at + key.length + 4);
  }
  await expect(openCheckpoint(memoryFiles('m', { 'x.gguf': new Uint8Array(bytes) }))).rejects.toThrow(
    /rope factors that do not follow LLaMA 3's rule/,
  );
});
