import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FileFormatError, MissingError, UnsupportedError, UsageError } from '../errors.ts';
import { diskFolder, diskModel, diskSource } from './files/disk.ts';
import { blobFolder } from './files/file.ts';
import { sha256OfBytes } from './files/sha256.ts';
import { openCheckpoint } from './folder.ts';
import { writeSafetensors } from './formats/safetensors/safetensors-write.ts';
import { memoryFiles } from './testing/memory-files.ts';

const text = (value: unknown) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const weightFile = (...names: string[]) =>
  writeSafetensors(
    new Map(names.map((name, i) => [name, { dtype: 'F32', shape: [2, 2], data: Float32Array.of(i, 1, 2, 3) }])),
  );
const open = (files: Record<string, Uint8Array>) => openCheckpoint(memoryFiles('folder', files));
const config = text({ model_type: 'llama', tie_word_embeddings: true });

test('a folder with one weight file', async () => {
  const card = text('---\nlanguage: en\nlicense: apache-2.0\n---\n# Model');
  const model = await open({
    'config.json': config,
    'model.safetensors': weightFile('a', 'b'),
    'tokenizer.json': text('{}'),
    'README.md': card,
  });
  expect(model.provenance).toEqual({ name: 'folder', format: 'safetensors', licence: 'apache-2.0' });
  expect(model.config.model_type).toBe('llama');
  expect([...model.tensors.keys()]).toEqual(['a', 'b']);
  expect([...(await model.read('b', { start: 0, end: 1 }))]).toEqual([1, 1]);
  expect(new TextDecoder().decode(await model.file('tokenizer.json'))).toBe('{}');
  expect(await model.file('absent.json')).toBeUndefined();
  await expect(model.read('c')).rejects.toThrow(/folder has no tensor "c"; it has 2 tensors, such as "a", "b"/);
});

test('a sharded folder reads through its index', async () => {
  const index = { weight_map: { a: 'model-1.safetensors', b: 'model-2.safetensors' } };
  const files = {
    'config.json': config,
    'model.safetensors.index.json': text(index),
    'model-1.safetensors': weightFile('a'),
    'model-2.safetensors': weightFile('b'),
  };
  const model = await open(files);
  expect([...(await model.read('b'))]).toEqual([0, 1, 2, 3]);
  const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
  const lines = `${digest(files['model-1.safetensors'])}  model-1.safetensors\n${digest(files['model-2.safetensors'])}  model-2.safetensors\n`;
  expect(await model.sha256()).toBe(digest(text(lines)));
  const { 'model-2.safetensors': _, ...without } = files;
  await expect(open(without)).rejects.toThrow(/lacks 1 of the 2 weight files .* model-2\.safetensors/);
  const lying = {
    ...files,
    'model.safetensors.index.json': text({ weight_map: { ...index.weight_map, c: 'model-1.safetensors' } }),
  };
  await expect(open(lying)).rejects.toThrow(/promises the tensor "c"/);
});

test.each(['../x.safetensors', '/etc/passwd', 'a/../../b', 'a\0b', 'C:\\x', '..'])(
  'an index that names %j is refused',
  async (name) => {
    const index = text({ weight_map: { a: name } });
    await expect(open({ 'config.json': config, 'model.safetensors.index.json': index })).rejects.toThrow(
      /only plain names inside the model's folder/,
    );
  },
);

test('a tied embedding is one tensor, read under both names, whichever the file has', async () => {
  for (const stored of ['model.embed_tokens.weight', 'lm_head.weight']) {
    const model = await open({ 'config.json': config, 'model.safetensors': weightFile(stored, 'x') });
    expect([...model.tensors.keys()].sort()).toEqual(['model.embed_tokens.weight', 'x']);
    expect(model.tensors.get('model.embed_tokens.weight')?.name).toBe('model.embed_tokens.weight');
    expect(await model.read('lm_head.weight')).toEqual(await model.read('model.embed_tokens.weight'));
  }
  const both = weightFile('lm_head.weight', 'model.embed_tokens.weight');
  const untied = text({ tie_word_embeddings: false });
  expect((await open({ 'config.json': untied, 'model.safetensors': both })).tensors.size).toBe(2);
  const same = new Map(
    ['lm_head.weight', 'model.embed_tokens.weight'].map((name) => [
      name,
      { dtype: 'F32' as const, shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
    ]),
  );
  const doubled = await open({ 'config.json': config, 'model.safetensors': writeSafetensors(same) });
  expect([doubled.tensors.size, doubled.config.tie_word_embeddings, doubled.notes]).toEqual([1, true, []]);
  const headless = await open({ 'config.json': untied, 'model.safetensors': weightFile('model.embed_tokens.weight') });
  await expect(headless.read('lm_head.weight')).rejects.toThrow(MissingError);
});

test('an output matrix that differs from the embedding is one of its own, whatever the config says', async () => {
  const both = weightFile('lm_head.weight', 'model.embed_tokens.weight');
  const model = await open({ 'config.json': config, 'model.safetensors': both });
  expect(model.config.tie_word_embeddings).toBe(false);
  expect([...(await model.read('lm_head.weight'))]).toEqual([0, 1, 2, 3]);
  expect([...(await model.read('model.embed_tokens.weight'))]).toEqual([1, 1, 2, 3]);
  expect(model.notes).toEqual([
    'config.json ties the output matrix to the embedding, but lm_head.weight is there and differs from it: it is used.',
  ]);
});

test('missing parts are named', async () => {
  await expect(open({ 'model.safetensors': weightFile('a') })).rejects.toThrow(/has no config.json/);
  await expect(open({ 'config.json': config })).rejects.toThrow(/has no model weights/);
  await expect(open({ 'config.json': config, 'pytorch_model.bin': text('x') })).rejects.toThrow(UnsupportedError);
  await expect(open({ 'a.gguf': text('x'), 'b.gguf': text('x') })).rejects.toThrow(UsageError);
  await expect(open({ 'config.json': text('{"a":'), 'model.safetensors': weightFile('a') })).rejects.toThrow(
    FileFormatError,
  );
});

test('dropped files are a folder', async () => {
  const picked = [
    { path: 'tiny/config.json', blob: new Blob([config]) },
    { path: 'tiny/model.safetensors', blob: new Blob([weightFile('a')]) },
  ];
  const model = await openCheckpoint(blobFolder(picked));
  expect(model.provenance.name).toBe('tiny');
  expect([...(await model.read('a', { start: 1, end: 2 }))]).toEqual([2, 3]);
});

describe('on disk', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'espalier-'));
    await mkdir(join(folder, 'onnx'));
    await writeFile(join(folder, 'config.json'), config);
    await writeFile(join(folder, 'model.safetensors'), weightFile('a'));
    await writeFile(join(folder, 'onnx', 'x.onnx'), '');
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('a folder and a single file open, and the digest is that of the file', async () => {
    expect(await (await diskFolder(folder)).list()).toEqual(['config.json', 'model.safetensors', 'onnx/x.onnx']);
    for (const path of [folder, join(folder, 'model.safetensors')]) {
      const { files, weights, name } = await diskModel(path);
      const model = await openCheckpoint(files, { weights, name });
      expect([...(await model.read('a'))]).toEqual([0, 1, 2, 3]);
      expect(await model.sha256()).toBe(await sha256OfBytes(weightFile('a')));
    }
    await expect(diskModel(join(folder, 'absent'))).rejects.toThrow(MissingError);
    await expect((await diskFolder(folder)).open('../x')).rejects.toThrow(FileFormatError);
  });

  test('a file cut while open is reported', async () => {
    const path = join(folder, 'cut');
    await writeFile(path, new Uint8Array(100));
    const source = await diskSource(path);
    await truncate(path, 50);
    await expect(source.read(0, 100)).rejects.toThrow(/became shorter/);
    await expect(source.read(90, 101)).rejects.toThrow(/truncated/);
  });
});

test('a tied embedding that is stored under the name of the output matrix alone', async () => {
  const model = await open({ 'config.json': config, 'model.safetensors': weightFile('lm_head.weight') });
  expect(model.tensors.get('model.embed_tokens.weight')?.shape).toEqual([2, 2]);
  expect([...(await model.read('model.embed_tokens.weight', { start: 1, end: 2 }))]).toEqual([2, 3]);
  expect([...(await model.read('lm_head.weight'))]).toEqual([0, 1, 2, 3]);
});
