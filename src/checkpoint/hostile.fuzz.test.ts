import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { EspalierError } from '../errors.ts';
import { seededRandom } from '../random.ts';
import { openCheckpoint } from './folder.ts';
import { floatToHalf } from './half.ts';
import { isRecord, type JsonRecord } from './json.ts';
import { memoryFiles } from './memory.ts';
import { writeSafetensors } from './safetensors-write.ts';
import { createTokenizer, loadTokenizer } from './tokenizer.ts';

/** Damaged files to try per format; more for a longer search. Each run of the same number tries the same files. */
const CASES = Number(process.env.ESPALIER_FUZZ_CASES ?? 300);
const TIMEOUT_MS = 120_000 + 200 * CASES;
/** One case alone, by its number, to look at what a longer search found. */
const ONLY = process.env.ESPALIER_FUZZ_ONLY;
const SLOWEST_MS = 5000;
/** A Q4_K block of 144 bytes becomes 1,024 bytes of float32. */
const LARGEST_GROWTH = 8;

const fixtures = join(import.meta.dirname, 'fixtures');
const encode = (value: unknown) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
type Integers = (limit: number) => number;
const integers = (seed: number): Integers => {
  const random = seededRandom(seed);
  return (limit) => Math.floor(random() * limit);
};

/** Numbers that sizes, counts and offsets turn into trouble. */
const TROUBLE = [0n, 1n, 0x7fn, 0xffn, 0xffffn, 0x7fffffffn, 0xffffffffn, 1n << 32n, (1n << 53n) - 1n, 1n << 53n, (1n << 63n) - 1n, (1n << 64n) - 1n];

function damage(bytes: Uint8Array, random: Integers, reach: number): Uint8Array {
  const at = random(Math.min(bytes.length, reach));
  const splice = (middle: ArrayLike<number>, from: number) => Uint8Array.from([...bytes.subarray(0, at), ...Array.from(middle), ...bytes.subarray(from)]);
  const number = new Uint8Array(BigUint64Array.of(TROUBLE[random(TROUBLE.length)] ?? 0n).buffer);
  switch (random(7)) {
    case 0:
      return bytes.slice(0, at);
    case 1:
      return splice([], at + 1 + random(24));
    case 2:
      return splice(bytes.subarray(at, at + 1 + random(24)), at);
    case 3:
      return splice(number.subarray(0, 8), at + 8);
    case 4:
      return splice(number.subarray(0, 4), at + 4);
    case 5:
      return splice([(bytes[at] ?? 0) ^ (1 << random(8))], at + 1);
    default:
      return splice([random(256)], at + 1);
  }
}

const VALUES: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e9,
  2 ** 53,
  1e308,
  '',
  'x',
  '\ud800',
  '(',
  '(a+)+',
  [],
  {},
  [[]],
  { type: 'Sequence' },
  [null],
  'BPE',
  '../x',
  'a\0b',
];

/** A copy of a JSON value with one part replaced, removed or doubled. */
function damageJson(value: unknown, random: Integers): unknown {
  if (random(6) === 0) return VALUES[random(VALUES.length)];
  if (Array.isArray(value) && value.length > 0) {
    const at = random(value.length);
    const copy = [...(value as unknown[])];
    const action = random(6);
    if (action === 0) copy.splice(at, 1);
    else if (action === 1) copy.splice(at, 0, copy[random(copy.length)]);
    else copy[at] = damageJson(copy[at], random);
    return copy;
  }
  if (!isRecord(value)) return VALUES[random(VALUES.length)];
  const keys = Object.keys(value);
  const key = keys[random(keys.length)];
  if (key === undefined) return VALUES[random(VALUES.length)];
  if (random(6) === 0) return Object.fromEntries(Object.entries(value).filter(([each]) => each !== key));
  return { ...value, [key]: damageJson(value[key], random) };
}

/** Runs `work`; only the project's own errors may come out, and soon. Returns whether it went through. */
async function survives(what: string, work: () => Promise<void> | void): Promise<boolean> {
  if (ONLY !== undefined && !what.endsWith(` ${ONLY}`)) return false;
  // Processor time: a busy machine may stop a process for seconds.
  const start = process.cpuUsage();
  const error: unknown = await (async () => work())().catch((thrown: unknown) => thrown ?? new Error('nothing was thrown'));
  const { user, system } = process.cpuUsage(start);
  const spent = (user + system) / 1000;
  if (spent > SLOWEST_MS) throw new Error(`${what} took ${spent} ms`);
  if (error === undefined) return true;
  if (error instanceof EspalierError && error.message.length > 10 && error.message.length < 2000) return false;
  throw new Error(`${what} failed with ${error instanceof EspalierError ? `a message of ${error.message.length} characters` : 'something else'}.`, {
    cause: error,
  });
}

async function readAll(files: Readonly<Record<string, Uint8Array>>): Promise<void> {
  const model = await openCheckpoint(memoryFiles('model', files));
  const size = Object.values(files).reduce((sum, bytes) => sum + bytes.length, 0);
  for (const [name, { shape }] of model.tensors) {
    const values = await model.read(name);
    expect(values.length).toBe(shape.reduce((product, n) => product * n, 1));
    expect(values.byteLength).toBeLessThanOrEqual(LARGEST_GROWTH * size);
  }
  await model.sha256();
}

const TEXT = 'The quick fox, 123 naïve 文字 😀 <s>\n\n  x';
const CONFIG = { model_type: 'llama', tie_word_embeddings: true, vocab_size: 600, bos_token_id: 1, eos_token_id: [2, 3] };
const weights = writeSafetensors(
  new Map([
    ['model.embed_tokens.weight', { dtype: 'F32', shape: [6, 4], data: new Float32Array(24) }],
    ['a', { dtype: 'F16', shape: [3], data: floatToHalf(Float32Array.of(1, 2, 3)) }],
    ['b', { dtype: 'F32', shape: [], data: Float32Array.of(1) }],
  ]),
  { format: 'pt' },
);
const tokenizers = (JSON.parse(await readFile(join(fixtures, 'tokenizers.json'), 'utf8')) as { cases: { tokenizer: JsonRecord }[] }).cases.map(
  (each) => each.tokenizer,
);
const onnxFolder = async (name: string, files: readonly string[]) =>
  Object.fromEntries(await Promise.all(files.map(async (file) => [file, new Uint8Array(await readFile(join(fixtures, 'onnx', name, file)))] as const)));
const onnx: Record<string, Uint8Array>[] = await Promise.all([
  onnxFolder('genai-llama', ['config.json', 'model.onnx', 'model.onnx.data']),
  onnxFolder('genai-qwen2-int4', ['config.json', 'model.onnx', 'model.onnx.data']),
  onnxFolder('traced-llama', ['config.json', 'model.onnx']),
]);
const ggufs = await Promise.all(['llama', 'llama3', 'gemma3', 'phi3', 'qwen2'].map((name) => readFile(join(fixtures, 'gguf', `${name}.gguf`))));

describe('damaged files end in a sentence, never in a crash, a hang or a huge allocation', () => {
  const count = async (seed: number, one: (random: Integers, index: number) => Promise<boolean>) => {
    const random = integers(seed);
    let accepted = 0;
    for (let index = 0; index < CASES; index += 1) if (await one(random, index)) accepted += 1;
    expect(accepted).toBeLessThan(CASES);
    return accepted;
  };

  test(
    'safetensors',
    () =>
      count(1, (random, index) => {
        let bytes: Uint8Array = weights;
        for (let left = 1 + random(3); left > 0; left -= 1) bytes = damage(bytes, random, random(4) === 0 ? bytes.length : 240);
        return survives(`safetensors ${index}`, () => readAll({ 'config.json': encode(CONFIG), 'model.safetensors': bytes }));
      }),
    TIMEOUT_MS,
  );

  test(
    'GGUF',
    () =>
      count(2, (random, index) => {
        let bytes = new Uint8Array(ggufs[index % ggufs.length] ?? []);
        for (let left = 1 + random(3); left > 0; left -= 1) bytes = new Uint8Array(damage(bytes, random, random(2) === 0 ? bytes.length : 900));
        return survives(`GGUF ${index}`, async () => {
          await readAll({ 'm.gguf': bytes });
          const tokenizer = await loadTokenizer(await openCheckpoint(memoryFiles('m', { 'm.gguf': bytes })));
          tokenizer.decode(tokenizer.encode(TEXT));
        });
      }),
    TIMEOUT_MS,
  );

  test(
    'ONNX',
    () =>
      count(5, (random, index) => {
        const folder = onnx[index % onnx.length] ?? {};
        const victim = 'model.onnx';
        let bytes: Uint8Array = folder[victim] ?? new Uint8Array();
        for (let left = 1 + random(3); left > 0; left -= 1) bytes = damage(bytes, random, random(2) === 0 ? bytes.length : 2000);
        return survives(`ONNX ${index}`, () => readAll({ ...folder, [victim]: bytes }));
      }),
    TIMEOUT_MS,
  );

  test(
    'tokenizer.json',
    () =>
      count(3, (random, index) => {
        let tokenizer: unknown = tokenizers[index % tokenizers.length];
        for (let left = 1 + random(3); left > 0; left -= 1) tokenizer = damageJson(tokenizer, random);
        return survives(`tokenizer.json ${index}`, () => {
          const made = createTokenizer({
            name: 'm',
            tokenizer: isRecord(tokenizer) ? tokenizer : {},
            tokenizerConfig: {},
            config: CONFIG,
            generationConfig: {},
          });
          made.decode(made.encode(TEXT), { skipSpecialTokens: true });
        });
      }),
    TIMEOUT_MS,
  );

  test(
    'config.json, tokenizer_config.json, generation_config.json and the index of parts',
    () =>
      count(4, (random, index) => {
        const settings = { bos_token: '<s>', eos_token: { content: '</s>' }, chat_template: '{% for m in messages %}{{ m.content }}{% endfor %}' };
        const files: Record<string, unknown> = {
          'config.json': CONFIG,
          'tokenizer_config.json': settings,
          'generation_config.json': { eos_token_id: [2, 3] },
          'model.safetensors.index.json': { metadata: {}, weight_map: { a: 'part.safetensors', b: 'part.safetensors' } },
        };
        const names = Object.keys(files);
        const victim = names[random(names.length)] ?? 'config.json';
        const broken = random(2) === 0 ? damage(encode(files[victim]), random, 1000) : encode(damageJson(files[victim], random));
        const all = {
          ...Object.fromEntries(names.map((name) => [name, encode(files[name])])),
          'part.safetensors': weights,
          'tokenizer.json': encode(tokenizers[4]),
        };
        return survives(`${victim} ${index}`, async () => {
          await readAll({ ...all, [victim]: broken });
          const tokenizer = await loadTokenizer(await openCheckpoint(memoryFiles('m', { ...all, [victim]: broken })));
          if (tokenizer.chatTemplate !== undefined) tokenizer.applyChatTemplate([{ role: 'user', content: 'Hi' }]);
          tokenizer.decode(tokenizer.encode(TEXT));
        });
      }),
    TIMEOUT_MS,
  );

  test('a file cut anywhere is refused', async () => {
    for (let length = 0; length < weights.length; length += 1) {
      expect(await survives(`cut at ${length}`, () => readAll({ 'config.json': encode(CONFIG), 'model.safetensors': weights.slice(0, length) }))).toBe(false);
    }
    const gguf = new Uint8Array(ggufs[4] ?? []);
    for (let length = 0; length < gguf.length; length += length < 800 ? 1 : 97) {
      expect(await survives(`cut at ${length}`, () => readAll({ 'm.gguf': gguf.slice(0, length) }))).toBe(false);
    }
  });
});
