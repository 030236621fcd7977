import { describe, expect, it } from 'vitest';
import { MissingError } from '../errors.ts';
import { directoryFolder, UNFINISHED } from './directory-folder.ts';
import { FakeDirectory } from './testing/fake-directory.ts';

const bytes = (text: string) => [new TextEncoder().encode(text)];

describe('a folder in one that the reader picked', () => {
  it('is marked as unfinished until it is published', async () => {
    const picked = new FakeDirectory();
    const folder = await directoryFolder(picked.handle, 'stories-pruned-20');
    await folder.write('onnx/model.onnx', bytes('graph'));
    await folder.write('config.json', bytes('{}'));
    expect(picked.paths()).toEqual([
      'stories-pruned-20/NOT FINISHED - delete this folder.txt',
      'stories-pruned-20/config.json',
      'stories-pruned-20/onnx/model.onnx',
    ]);
    await folder.publish();
    expect(picked.paths()).toEqual(['stories-pruned-20/config.json', 'stories-pruned-20/onnx/model.onnx']);
    expect(await (await folder.read('onnx/model.onnx')).text()).toBe('graph');
    await folder.discard();
    expect(picked.paths()).toHaveLength(2);
  });

  it('leaves nothing when it is discarded, and touches nothing that was there', async () => {
    const picked = new FakeDirectory();
    const first = await directoryFolder(picked.handle, 'model');
    await first.write('config.json', bytes('{}'));
    await first.publish();
    const second = await directoryFolder(picked.handle, 'model');
    expect(second.name).toBe('model-2');
    await second.write('config.json', bytes('other'));
    await second.discard();
    expect(picked.paths()).toEqual(['model/config.json']);
  });

  it('has no file of which the writing failed', async () => {
    const picked = new FakeDirectory();
    const folder = await directoryFolder(picked.handle, 'model');
    const failing = async function* () {
      yield new TextEncoder().encode('half');
      throw new Error('The disk is full.');
    };
    await expect(folder.write('onnx/model.onnx_data', failing())).rejects.toThrow('The disk is full.');
    expect(picked.contentOf('model/onnx/model.onnx_data')).toBe('');
    await folder.discard();
    expect(picked.paths()).toEqual([]);
  });

  it('is removed once the browser lets go of a file that was being written', async () => {
    const picked = new FakeDirectory();
    const folder = await directoryFolder(picked.handle, 'model');
    picked.lockedFor = 3;
    await folder.discard();
    expect(picked.paths()).toEqual([]);
    expect(picked.lockedFor).toBe(0);
  });

  it('opens a written model from its files, and names a file that is gone', async () => {
    const folder = await directoryFolder(new FakeDirectory().handle, 'model');
    await folder.write('onnx/model.onnx', bytes('graph'));
    await folder.write('onnx/model.onnx_data', bytes('weights'));
    const { model, externalData } = await folder.openModel('onnx/model.onnx', 'onnx/model.onnx_data', 'wasm');
    expect(new TextDecoder().decode(model as Uint8Array)).toBe('graph');
    expect(Object.keys(externalData ?? {})).toEqual(['model.onnx_data']);
    await expect(folder.read('README.md')).rejects.toBeInstanceOf(MissingError);
    expect(UNFINISHED).toMatch(/delete/);
  });
});
