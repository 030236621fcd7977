import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { modelOf } from '../../architecture/model.ts';
import { MissingError, UsageError } from '../../errors.ts';
import type { Checkpoint } from '../checkpoint.ts';
import { diskModel } from '../files/disk.ts';
import { blobFolder } from '../files/file.ts';
import { openCheckpoint } from '../folder.ts';
import { chooseFiles } from '../store/hub-files.ts';
import { ggufFile, TINY_LLAMA, TINY_LLAMA_TENSORS } from '../testing/gguf-file.ts';
import { memoryFiles } from '../testing/memory-files.ts';
import { FORMATS, formatOf, modelsIn } from './table.ts';

type Files = Readonly<Record<string, Uint8Array>>;

/** A model in three parts, as llama.cpp's gguf-split makes them. */
function split(): Files {
  const tensors = Object.entries(TINY_LLAMA_TENSORS);
  const part = (no: number) =>
    ggufFile(
      { ...(no === 0 ? TINY_LLAMA : { 'general.architecture': 'llama' }), 'split.no': no, 'split.count': 3 },
      Object.fromEntries(tensors.filter((_, index) => index % 3 === no)),
    );
  return Object.fromEntries([0, 1, 2].map((no) => [`m-0000${no + 1}-of-00003.gguf`, part(no)]));
}

const whole = ggufFile(TINY_LLAMA, TINY_LLAMA_TENSORS);
/** The same file cut at arbitrary bytes. */
const cut = (...names: readonly string[]): Files => {
  const size = Math.ceil(whole.length / names.length);
  return Object.fromEntries(names.map((name, i) => [name, whole.slice(i * size, (i + 1) * size)]));
};

async function expectWhole(model: Checkpoint): Promise<void> {
  const reference = await openCheckpoint(memoryFiles('r', { 'r.gguf': whole }));
  expect(() => modelOf(model)).not.toThrow();
  expect([...model.tensors.keys()].sort()).toEqual([...reference.tensors.keys()].sort());
  for (const name of reference.tensors.keys()) expect(await model.read(name)).toEqual(await reference.read(name));
}

const hub = (files: Files) =>
  chooseFiles(
    Object.entries(files).map(([name, bytes]) => ({ name, size: bytes.length, digest: { kind: 'git', value: '' } })),
    'org/m',
  ).map(({ name }) => name);

describe('a GGUF in parts', () => {
  test('is one model of a folder, of a hub and of picked files, whichever part is named', async () => {
    const files = split();
    const folder = memoryFiles('m', files);
    await expectWhole(await openCheckpoint(folder));
    for (const weights of Object.keys(files)) await expectWhole(await openCheckpoint(folder, { weights }));
    expect(hub(files).sort()).toEqual(Object.keys(files));
    const picked = Object.entries(files).map(([path, bytes]) => ({
      path,
      blob: new Blob([bytes as Uint8Array<ArrayBuffer>]),
    }));
    await expectWhole(await openCheckpoint(blobFolder(picked.reverse())));
  });

  test('without one of its parts is told which', async () => {
    const { 'm-00002-of-00003.gguf': _, ...files } = split();
    await expect(openCheckpoint(memoryFiles('m', files))).rejects.toThrow(
      'm has no file "m-00002-of-00003.gguf", one of the 3 parts of the model.',
    );
  });

  test('beside another model is still one of two', async () => {
    const open = openCheckpoint(memoryFiles('m', { ...split(), 'other.gguf': whole }));
    await expect(open).rejects.toThrow(UsageError);
    await expect(open).rejects.toThrow('m has 2 GGUF models: m-00001-of-00003.gguf, other.gguf. Name the one to open');
  });
});

describe('a file that was cut', () => {
  test.each([
    [['m.gguf.part1of2', 'm.gguf.part2of2']],
    [['m.gguf-split-a', 'm.gguf-split-b', 'm.gguf-split-c']],
    [['m.gguf.split-aa', 'm.gguf.split-ab']],
    [['m.gguf.001', 'm.gguf.002']],
    [['m.gguf.00', 'm.gguf.01']],
    [['m.gguf.aa', 'm.gguf.ab']],
    [['m.gguf.part-1', 'm.gguf.part-2']],
    [['m.gguf.part1', 'm.gguf.part2', 'm.gguf.part3']],
    [['m.gguf.part1_of_2', 'm.gguf.part2_of_2']],
  ])('is joined: %j', async (names) => {
    const files = cut(...names);
    const folder = memoryFiles('m', { ...files, 'm.gguf.md': new Uint8Array(3) });
    await expectWhole(await openCheckpoint(folder));
    for (const weights of names) await expectWhole(await openCheckpoint(folder, { weights }));
    expect(hub(files).sort()).toEqual([...names].sort());
  });

  test('without one of its pieces is told which, the last included where names tell how many there are', async () => {
    const open = (...names: readonly string[]) => openCheckpoint(memoryFiles('m', cut(...names)));
    await expect(open('m.gguf.part1of3', 'm.gguf.part2of3')).rejects.toThrow(
      'm has 2 pieces of m.gguf, but not the one with the number 3. Add it.',
    );
    await expect(open('m.gguf.002')).rejects.toThrow(
      'm has 1 piece of m.gguf, but not the one with the number 1. Add it.',
    );
    await expect(open('m.gguf.001', 'm.gguf.003')).rejects.toThrow(MissingError);
  });
});

test('a part of sharded safetensors stands for all of them', () => {
  const index = 'model.safetensors.index.json';
  const parts = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
  for (const file of [index, ...parts])
    expect(formatOf(file)?.files(file, [...parts, index, 'adapter.safetensors'])).toEqual([index, ...parts]);
  expect(formatOf('model.safetensors')?.files('model.safetensors', ['model.safetensors', index])).toEqual([
    'model.safetensors',
  ]);
});

test('an ONNX comes with its data, and the most exact one comes first', () => {
  const names = [
    'onnx/model_q4.onnx',
    'onnx/model_q4.onnx_data',
    'onnx/model.onnx',
    'onnx/model.onnx_data',
    'onnx/model.onnx_data_1',
  ];
  const [, , onnx] = FORMATS;
  expect(onnx && modelsIn(names, onnx)).toEqual(['onnx/model.onnx', 'onnx/model_q4.onnx']);
  expect(onnx?.files('onnx/model.onnx', names)).toEqual([
    'onnx/model.onnx',
    'onnx/model.onnx_data',
    'onnx/model.onnx_data_1',
  ]);
});

test.each(['README.md', 'config.json', 'model.onnx_data', 'm.gguf.part1', 'x.bin', 'tokenizer.safetensors.json'])(
  '%s is no weight file',
  (name) => expect(formatOf(name)).toBeUndefined(),
);

describe('a path on disk', () => {
  let root = '';
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'espalier-table-'));
    for (const name of [
      'export/config.json',
      'export/onnx/model_q4.onnx',
      'alone/config.json',
      'alone/model.onnx',
      'bare/x/model.onnx',
    ]) {
      await mkdir(dirname(join(root, name)), { recursive: true });
      await writeFile(join(root, name), '{}');
    }
    for (const [name, bytes] of Object.entries(cut('m.gguf.part1', 'm.gguf.part2')))
      await writeFile(join(root, name), bytes);
  });
  afterAll(() => rm(root, { recursive: true }));

  test.each([
    ['export/onnx/model_q4.onnx', 'export', 'onnx/model_q4.onnx', 'export'],
    ['alone/model.onnx', 'alone', 'model.onnx', 'model'],
    ['bare/x/model.onnx', 'x', 'model.onnx', 'model'],
  ])('%s is a file of the folder that has its config.json', async (path, folder, weights, name) => {
    const found = await diskModel(join(root, path));
    expect([found.files.name, found.weights, found.name]).toEqual([folder, weights, name]);
  });

  test('a piece of a file stands for the file', async () => {
    const { files, weights, name } = await diskModel(join(root, 'm.gguf.part2'));
    expect(name).toBe('m');
    await expectWhole(await openCheckpoint(files, { weights }));
  });
});
