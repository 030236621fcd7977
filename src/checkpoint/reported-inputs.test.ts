import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { modelOf } from '../architecture/model.ts';
import { openFixture } from '../architecture/testing/fixture.ts';
import { elementCount } from '../arrays.ts';
import { EspalierError } from '../errors.ts';
import type { Checkpoint } from './checkpoint.ts';
import { diskModel } from './files/disk.ts';
import { openCheckpoint } from './folder.ts';
import { type WritableTensor, writeSafetensors } from './formats/safetensors/safetensors-write.ts';
import { chooseFiles } from './store/hub-files.ts';
import { ggufFile, TINY_LLAMA, TINY_LLAMA_TENSORS } from './testing/gguf-file.ts';
import { memoryFiles } from './testing/memory-files.ts';

/** Inputs of the kinds that people report to the tools that write and read models, in small ones of our own. */

const { checkpoint: llama } = await openFixture('llama');
const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

/** The LLaMA fixture as files, its tensors renamed or changed. */
async function folder(
  rename: (name: string) => string | undefined = (name) => name,
  more: Readonly<Record<string, WritableTensor>> = {},
  config: Readonly<Record<string, unknown>> = {},
): Promise<Record<string, Uint8Array>> {
  const tensors = new Map<string, WritableTensor>();
  for (const [name, { shape }] of llama.tensors) {
    const renamed = rename(name);
    if (renamed !== undefined) tensors.set(renamed, { dtype: 'F32', shape, data: await llama.read(name) });
  }
  for (const [name, tensor] of Object.entries(more)) tensors.set(name, tensor);
  return { 'config.json': json({ ...llama.config, ...config }), 'model.safetensors': writeSafetensors(tensors) };
}

const open = async (files: Record<string, Uint8Array>) => modelOf(await openCheckpoint(memoryFiles('m', files)));

async function expectLlama({ checkpoint }: { readonly checkpoint: Checkpoint }): Promise<void> {
  expect([...checkpoint.tensors.keys()].sort()).toEqual([...llama.tensors.keys()].sort());
  for (const name of llama.tensors.keys()) expect(await checkpoint.read(name)).toEqual(await llama.read(name));
}

describe('names of tensors', () => {
  test.each([
    ['of a compiled module', (name: string) => `_orig_mod.${name}`],
    ['of data parallelism', (name: string) => `module.${name}`],
    ['of both', (name: string) => `module._orig_mod.${name}`],
    ['of a merged adapter', (name: string) => `base_model.model.${name}`],
    ['of the decoder without its output matrix', (name: string) => name.replace(/^model\./, '')],
  ])('%s are read', async (_, rename) => {
    await expectLlama(await open(await folder(rename)));
  });

  test('of an adapter beside the model are told, before what is missing for it', async () => {
    const lora: WritableTensor = { dtype: 'F32', shape: [1, 2], data: new Float32Array(2) };
    const wrapped = (name: string) => `base_model.model.${name.replace('.q_proj.', '.q_proj.base_layer.')}`;
    const files = await folder(wrapped, {
      'base_model.model.model.layers.0.self_attn.q_proj.lora_A.default.weight': lora,
    });
    await expect(open(files)).rejects.toThrow('They belong to an adapter: merge it into its model');
  });
});

test('a tensor that a distributed training left empty is told as that', async () => {
  const name = 'model.layers.0.mlp.up_proj.weight';
  const files = await folder(undefined, { [name]: { dtype: 'F32', shape: [0], data: new Float32Array(0) } });
  await expect(open(files)).rejects.toThrow(
    `m: tensor ${name} is empty: it was saved while its values lay on several processes (DeepSpeed ZeRO-3, FSDP).`,
  );
});

test('codes in integers without their scales are told', async () => {
  const name = 'model.layers.0.mlp.up_proj.weight';
  const { shape = [] } = llama.tensors.get(name) ?? {};
  const codes: WritableTensor = { dtype: 'I32', shape, data: new Int32Array(elementCount(shape)) };
  await expect(open(await folder(undefined, { [name]: codes }))).rejects.toThrow(
    `m: tensor ${name} is stored as I32, in integers: the codes of a quantisation without its scales.`,
  );
});

test.each<readonly [string, Readonly<Record<string, unknown>>, string]>([
  [
    'a vocabulary that grew',
    { vocab_size: 50 },
    'model.embed_tokens.weight has shape [48, 32], but config.json asks for [50, 32]',
  ],
  ['a layer count that is too small', { num_hidden_layers: 1 }, 'config.json says num_hidden_layers 1: correct it'],
  ['a layer count that is too large', { num_hidden_layers: 3 }, 'm has no tensor model.layers.2.'],
  ['a head that is not there', { tie_word_embeddings: false }, 'set tie_word_embeddings to true in config.json'],
  [
    'a factor without its kind',
    { rope_scaling: { factor: 2 } },
    'rope_scaling.rope_type is absent; it must be the kind of scaling',
  ],
  ['a mixture of experts', { num_local_experts: 8 }, 'mixtures of experts are not supported'],
  [
    'quantisation that is left in the config',
    { quantization_config: { quant_method: 'bitsandbytes' } },
    'remove quantization_config from config.json',
  ],
  [
    'weights that MLX quantised',
    { quantization: { group_size: 64, bits: 4 } },
    'config.json says by quantization that m is quantised',
  ],
  [
    'parts for images',
    { model_type: 'gemma3', text_config: {} },
    'the architecture "gemma3" is not supported; supported are: llama',
  ],
])('%s is told', async (_, config, sentence) => {
  const error = await folder(undefined, {}, config)
    .then(open)
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(EspalierError);
  expect(error).toHaveProperty('message', expect.stringContaining(sentence));
});

test('a config with a byte order mark is read', async () => {
  const files = await folder();
  const config = files['config.json'] as Uint8Array;
  await expectLlama(await open({ ...files, 'config.json': Uint8Array.from([0xef, 0xbb, 0xbf, ...config]) }));
});

test.each(['config.json', 'model.onnx', 'model.onnx.data'])('%s that is a pointer of Git LFS is told', async (name) => {
  const pointer = new TextEncoder().encode('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n');
  const fixtures = await diskModel(join(import.meta.dirname, 'fixtures/onnx/genai-llama'));
  const read = async (file: string) => {
    const source = await fixtures.files.open(file);
    return (await source?.read(0, source.byteLength)) ?? new Uint8Array();
  };
  const names = ['config.json', 'model.onnx', 'model.onnx.data'];
  const files = Object.fromEntries(await Promise.all(names.map(async (file) => [file, await read(file)] as const)));
  await expect(open({ ...files, [name]: pointer })).rejects.toThrow(
    `${name} is a pointer of Git LFS, not the file itself.`,
  );
});

test('weights that lie in a folder of their own only are told', async () => {
  const { 'config.json': config, 'model.safetensors': weights } = await folder();
  await expect(
    open({
      'README.md': new Uint8Array(),
      'checkpoint-500/config.json': config as Uint8Array,
      'checkpoint-500/model.safetensors': weights as Uint8Array,
    }),
  ).rejects.toThrow('m has weights in a folder of its own (checkpoint-500/model.safetensors) only. Open that folder.');
});

test('a hub model whose external data has a name of its own comes with it', () => {
  const names = [
    'config.json',
    'onnx/model.onnx',
    'onnx/160ea76f.data',
    'onnx/model_q4.onnx',
    'onnx/model_q4.onnx_data',
  ];
  const files = names.map((name) => ({ name, size: 1, digest: { kind: 'git' as const, value: '' } }));
  expect(
    chooseFiles(files, 'org/m')
      .map(({ name }) => name)
      .sort(),
  ).toEqual(['config.json', 'onnx/160ea76f.data', 'onnx/model.onnx']);
});

describe('files on disk', () => {
  let root = '';
  const gguf = ggufFile(TINY_LLAMA, TINY_LLAMA_TENSORS);
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'espalier-reported-'));
    await writeFile(join(root, 'sha256-0123abcd'), gguf);
    await writeFile(join(root, 'MODEL.GGUF'), gguf);
    const cache = join(root, 'models--org--name');
    await mkdir(join(cache, 'snapshots/abc'), { recursive: true });
    await mkdir(join(cache, 'snapshots/old'));
    await mkdir(join(cache, 'blobs'));
    await mkdir(join(cache, 'refs'));
    await writeFile(join(cache, 'refs/main'), 'abc');
    for (const [name, bytes] of Object.entries(await folder())) {
      await writeFile(join(cache, 'blobs', name), bytes);
      await symlink(join('../../blobs', name), join(cache, 'snapshots/abc', name));
    }
  });
  afterAll(() => rm(root, { recursive: true }));

  test.each(['sha256-0123abcd', 'MODEL.GGUF'])('%s is a GGUF whatever its name', async (name) => {
    const { files, weights } = await diskModel(join(root, name));
    const model = await openCheckpoint(files, { weights });
    expect(() => modelOf(model)).not.toThrow();
    expect(model.provenance.format).toBe('gguf');
  });

  test("a model in the cache of Hugging Face's tools is its main revision", async () => {
    const { files, name } = await diskModel(join(root, 'models--org--name'));
    expect(name).toBe('org/name');
    await expectLlama(modelOf(await openCheckpoint(files, { name })));
  });
});
