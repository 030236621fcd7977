import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { architectureFor } from '../../architecture/index.ts';
import { EspalierError } from '../../errors.ts';
import { seededRandom } from '../../random.ts';
import { isRecord, type JsonRecord } from '../files/json.ts';
import { openCheckpoint } from '../folder.ts';
import { writeSafetensors } from '../formats/safetensors/safetensors-write.ts';
import { floatToHalf } from '../half.ts';
import { chatTemplate } from '../tokenizer/chat-template.ts';
import { createTokenizer, loadTokenizer } from '../tokenizer/tokenizer.ts';
import { damage, damageJson, damageTemplate, type Integers } from './damage.ts';
import { memoryFiles } from './memory-files.ts';

/** One kind of file: makes the damaged file of a number, the same for the same seed, and tries to use it. */
export interface HostileFormat {
  readonly name: string;
  /** What the file is used for. Throws what using it throws. */
  readonly attempt: (random: Integers, index: number) => Promise<void> | void;
}

/** Processor time that one file may take: a busy machine may stop a process for seconds. */
export const SLOWEST_MS = 5000;
/** A Q4_K block of 144 bytes becomes 1,024 bytes of float32. */
const LARGEST_GROWTH = 8;

/** Random numbers of one case: a case alone gives the same file as in a long run. */
export function caseIntegers(seed: number, index: number): Integers {
  const random = seededRandom(seed * 1_000_003 + index);
  return (limit) => Math.floor(random() * limit);
}

/**
 * Uses one damaged file. Returns whether it went through; only the project's own errors may come out, and soon.
 * Throws Error, naming the case, for anything else.
 */
export async function survives(what: string, work: () => Promise<void> | void): Promise<boolean> {
  const start = process.cpuUsage();
  const error: unknown = await (async () => work())().catch(
    (thrown: unknown) => thrown ?? new Error('nothing was thrown'),
  );
  const { user, system } = process.cpuUsage(start);
  const spent = (user + system) / 1000;
  if (spent > SLOWEST_MS) throw new Error(`${what} took ${spent} ms`);
  if (error === undefined) return true;
  if (error instanceof EspalierError && error.message.length > 10 && error.message.length < 2000) return false;
  throw new Error(
    `${what} failed with ${error instanceof EspalierError ? `a message of ${error.message.length} characters` : 'something else'}.`,
    {
      cause: error,
    },
  );
}

/** Opens a model and reads all of it. Throws Error when more comes out than its files can hold. */
export async function readAll(files: Readonly<Record<string, Uint8Array>>): Promise<void> {
  const model = await openCheckpoint(memoryFiles('model', files));
  const size = Object.values(files).reduce((sum, bytes) => sum + bytes.length, 0);
  for (const [name, { shape }] of model.tensors) {
    const values = await model.read(name);
    const expected = shape.reduce((product, n) => product * n, 1);
    if (values.length !== expected)
      throw new Error(`${name} has ${values.length} values and the shape [${shape.join(', ')}]`);
    if (values.byteLength > LARGEST_GROWTH * size)
      throw new Error(`${name} became ${values.byteLength} bytes, of files with ${size}`);
  }
  await model.sha256();
}

export const encode = (value: unknown) =>
  new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const TEXT = 'The quick fox, 123 naïve 文字 😀 <s>\n\n  x';
export const CONFIG = {
  model_type: 'llama',
  tie_word_embeddings: true,
  vocab_size: 600,
  bos_token_id: 1,
  eos_token_id: [2, 3],
};
export const SAFETENSORS = writeSafetensors(
  new Map([
    ['model.embed_tokens.weight', { dtype: 'F32', shape: [6, 4], data: new Float32Array(24) }],
    ['a', { dtype: 'F16', shape: [3], data: floatToHalf(Float32Array.of(1, 2, 3)) }],
    ['b', { dtype: 'F32', shape: [], data: Float32Array.of(1) }],
  ]),
  { format: 'pt' },
);

/** What templates of published models are made of. */
const TEMPLATE = `{%- set ns = namespace(count=0) %}{%- if tools %}{{- '<|im_start|>system\\n' }}{%- for tool in tools %}{{- tool | tojson }}{%- endfor %}{%- endif %}
{%- macro turn(message) -%}{{ '<|im_start|>' + message['role'] + '\\n' + message.content | trim + '<|im_end|>' }}{%- endmacro -%}
{%- if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% else %}{% set loop_messages = messages %}{% endif %}
{%- for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate.') }}{% endif %}
{%- set ns.count = ns.count + 1 %}{{ turn(message) ~ '\\n' }}{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`;

const MESSAGES = [
  { role: 'user', content: 'Hi' },
  { role: 'assistant', content: 'Hello, \n you' },
  { role: 'user', content: 'Who are you?' },
] as const;

/** All kinds of files that come from strangers. `fixtures` is src/checkpoint/fixtures, `configs` src/architecture/fixtures. */
export async function hostileFormats(fixtures: string, configs: string): Promise<HostileFormat[]> {
  const folder = async (name: string, files: readonly string[]) =>
    Object.fromEntries(
      await Promise.all(
        files.map(async (file) => [file, new Uint8Array(await readFile(join(fixtures, 'onnx', name, file)))] as const),
      ),
    );
  const json = async (path: string) => JSON.parse(await readFile(path, 'utf8')) as JsonRecord;
  const onnx: readonly Record<string, Uint8Array>[] = await Promise.all([
    folder('genai-llama', ['config.json', 'model.onnx', 'model.onnx.data']),
    folder('genai-qwen2-int4', ['config.json', 'model.onnx', 'model.onnx.data']),
    folder('traced-llama', ['config.json', 'model.onnx']),
  ]);
  const ggufs = await Promise.all(
    ['llama', 'llama3', 'gemma3', 'phi3', 'qwen2'].map((name) => readFile(join(fixtures, 'gguf', `${name}.gguf`))),
  );
  const { cases } = (await json(join(fixtures, 'tokenizers.json'))) as unknown as {
    cases: { tokenizer: JsonRecord }[];
  };
  const tokenizers = cases.map(({ tokenizer }) => tokenizer);
  const architectures = await Promise.all(
    ['llama', 'llama-biases', 'mistral', 'qwen2', 'qwen2-yarn', 'qwen3', 'gemma3', 'phi3', 'phi3-longrope'].map(
      (name) => json(join(configs, name, 'config.json')),
    ),
  );
  const wounds = (bytes: Uint8Array, random: Integers, reach: (length: number) => number) => {
    let result = bytes;
    for (let left = 1 + random(3); left > 0; left -= 1) result = damage(result, random, reach(result.length));
    return result;
  };
  return [
    {
      name: 'safetensors',
      attempt: (random) =>
        readAll({
          'config.json': encode(CONFIG),
          'model.safetensors': wounds(SAFETENSORS, random, (length) => (random(4) === 0 ? length : 240)),
        }),
    },
    {
      name: 'GGUF',
      async attempt(random, index) {
        const bytes = wounds(new Uint8Array(ggufs[index % ggufs.length] ?? []), random, (length) =>
          random(2) === 0 ? length : 900,
        );
        await readAll({ 'm.gguf': bytes });
        const tokenizer = await loadTokenizer(await openCheckpoint(memoryFiles('m', { 'm.gguf': bytes })));
        tokenizer.decode(tokenizer.encode(TEXT));
      },
    },
    {
      name: 'ONNX',
      attempt(random, index) {
        const files = onnx[index % onnx.length] ?? {};
        return readAll({
          ...files,
          'model.onnx': wounds(files['model.onnx'] ?? new Uint8Array(), random, (length) =>
            random(2) === 0 ? length : 2000,
          ),
        });
      },
    },
    {
      name: 'tokenizer.json',
      attempt(random, index) {
        let tokenizer: unknown = tokenizers[index % tokenizers.length];
        for (let left = 1 + random(3); left > 0; left -= 1) tokenizer = damageJson(tokenizer, random);
        const made = createTokenizer({
          name: 'm',
          tokenizer: isRecord(tokenizer) ? tokenizer : {},
          tokenizerConfig: {},
          config: CONFIG,
          generationConfig: {},
        });
        made.decode(made.encode(TEXT), { skipSpecialTokens: true });
      },
    },
    {
      name: 'config.json',
      attempt: (random, index) => useConfig(architectures[index % architectures.length] ?? {}, random),
    },
    { name: 'companions', attempt: (random) => useCompanions(tokenizers[4] ?? {}, random) },
    {
      name: 'chat template',
      attempt(random) {
        let source = TEMPLATE;
        for (let left = 1 + random(4); left > 0; left -= 1) source = damageTemplate(source, random);
        chatTemplate(source, { bos: '<s>', eos: '</s>' })(MESSAGES, { addGenerationPrompt: random(2) === 0 });
      },
    },
  ];
}

/** What an architecture makes of a damaged config.json: sizes, widths, graphs. */
function useConfig(original: JsonRecord, random: Integers): void {
  let config: unknown = {
    ...original,
    espalier: { layers: Array.from({ length: 2 }, () => ({ keyValueHeads: 1, neurons: 5 })) },
  };
  for (let left = 1 + random(3); left > 0; left -= 1) config = damageJson(config, random);
  const architecture = architectureFor({
    provenance: { name: 'm', format: 'safetensors' },
    config: isRecord(config) ? config : {},
    tensors: new Map(),
    byteLength: 0,
    read: async () => new Float32Array(),
    file: async () => undefined,
    sha256: async () => '',
  });
  architecture.block();
  architecture.blockWeights(0);
  architecture.positions(0);
}

/** The small files beside the weights, and the index of parts. */
async function useCompanions(tokenizer: JsonRecord, random: Integers): Promise<void> {
  const files: Readonly<Record<string, unknown>> = {
    'config.json': CONFIG,
    'tokenizer_config.json': {
      bos_token: '<s>',
      eos_token: { content: '</s>' },
      chat_template: '{% for m in messages %}{{ m.content }}{% endfor %}',
    },
    'generation_config.json': { eos_token_id: [2, 3] },
    'model.safetensors.index.json': { metadata: {}, weight_map: { a: 'part.safetensors', b: 'part.safetensors' } },
  };
  const names = Object.keys(files);
  const victim = names[random(names.length)] ?? 'config.json';
  const broken =
    random(2) === 0 ? damage(encode(files[victim]), random, 1000) : encode(damageJson(files[victim], random));
  const all = {
    ...Object.fromEntries(names.map((name) => [name, encode(files[name])])),
    'part.safetensors': SAFETENSORS,
    'tokenizer.json': encode(tokenizer),
    [victim]: broken,
  };
  await readAll(all);
  const loaded = await loadTokenizer(await openCheckpoint(memoryFiles('m', all)));
  if (loaded.chatTemplate !== undefined) loaded.applyChatTemplate([{ role: 'user', content: 'Hi' }]);
  loaded.decode(loaded.encode(TEXT));
}
