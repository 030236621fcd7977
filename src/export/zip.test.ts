import { unzipSync } from 'fflate';
import { expect, test } from 'vitest';
import { zipBlob } from './zip.ts';

const bytes = (length: number, seed: number) => Uint8Array.from({ length }, (_, index) => (index * seed) % 251);
const FILES = new Map([
  ['config.json', new Blob(['{}'])],
  ['onnx/model.onnx', new Blob([bytes(70_000, 3), bytes(5, 7)])],
  ['empty.txt', new Blob([])],
]);

test('an archive holds the files under the folder, unchanged', async () => {
  const archive = unzipSync(new Uint8Array(await (await zipBlob(FILES, 'stories-pruned')).arrayBuffer()));
  expect(Object.keys(archive)).toEqual([
    'stories-pruned/config.json',
    'stories-pruned/onnx/model.onnx',
    'stories-pruned/empty.txt',
  ]);
  for (const [name, blob] of FILES)
    expect(archive[`stories-pruned/${name}`]).toEqual(new Uint8Array(await blob.arrayBuffer()));
});

test('the same files make the same archive', async () => {
  const [first, second] = await Promise.all([zipBlob(FILES, 'm'), zipBlob(FILES, 'm')]);
  expect(new Uint8Array(await first.arrayBuffer())).toEqual(new Uint8Array(await second.arrayBuffer()));
});
