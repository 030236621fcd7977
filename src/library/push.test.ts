import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { memoryFiles } from '../checkpoint/testing/memory-files.ts';
import { startUploadHub, type UploadHub } from '../checkpoint/testing/upload-hub.ts';
import { CancelledError, MissingError, NetworkError, UsageError } from '../errors.ts';
import type { Progress } from '../progress.ts';
import { push } from './push.ts';

const TOKEN = 'hf_of_a_test';
const weights = Uint8Array.from({ length: 5000 }, (_, i) => (i * 7) % 256);
const text = (value: string) => new TextEncoder().encode(value);
const folder = memoryFiles('stories-20', {
  'README.md': text('# stories, pruned'),
  'espalier.json': text('{}'),
  'onnx/model.onnx_data': weights,
});

let hub: UploadHub;
beforeEach(async () => {
  hub = await startUploadHub(TOKEN);
});
afterEach(() => hub.close());

const options = (more: object = {}) => ({
  folder,
  repository: 'me/stories-20',
  token: TOKEN,
  endpoint: hub.url,
  ...more,
});

describe('a push', () => {
  test('publishes every file in one commit, in a repository as private as was asked', async () => {
    const told: Progress[] = [];
    const pushed = await push(options({ isPrivate: true, onProgress: (progress: Progress) => told.push(progress) }));
    const published = hub.repositories.get('me/stories-20');
    expect(published?.isPrivate).toBe(true);
    expect([...(published?.files.keys() ?? [])].sort()).toEqual(['README.md', 'espalier.json', 'onnx/model.onnx_data']);
    expect(new Uint8Array(published?.files.get('onnx/model.onnx_data') ?? [])).toEqual(weights);
    expect(pushed).toMatchObject({ url: `${hub.url}/me/stories-20`, isNew: true });
    expect(pushed.commit).toMatch(/^[0-9a-f]{40}$/);
    const completed = told.map((each) => each.completed);
    expect(completed).toEqual([...completed].sort((a, b) => a - b));
    expect(told.at(-1)).toMatchObject({ completed: 5019, total: 5019 });
  });

  test('goes into a repository that is there', async () => {
    await push(options());
    expect((await push(options())).isNew).toBe(false);
  });

  test.each([401, 403])('without rights (%s) is told with what to do, without the token', async (rights) => {
    hub.mischief.rights = rights;
    const failed = push(options());
    await expect(failed).rejects.toThrow(NetworkError);
    await expect(failed).rejects.toThrow('does not let this token write to me/stories-20');
    await expect(failed).rejects.not.toThrow(TOKEN);
  });

  test('that is refused at the end publishes nothing and leaves no new repository', async () => {
    hub.mischief.commit = 500;
    await expect(push(options())).rejects.toThrow('Nothing was published; push again.');
    expect(hub.repositories.size).toBe(0);
  });

  test('that is cut leaves a repository that was there as it was', async () => {
    await push(options());
    hub.mischief.cut = true;
    const other = memoryFiles('other', {
      'espalier.json': text('{}'),
      'onnx/model.onnx_data': weights.map((byte) => byte ^ 1),
    });
    await expect(push(options({ folder: other }))).rejects.toThrow(NetworkError);
    expect(new Uint8Array(hub.repositories.get('me/stories-20')?.files.get('onnx/model.onnx_data') ?? [])).toEqual(
      weights,
    );
  });

  test('can be cancelled', async () => {
    const controller = new AbortController();
    hub.mischief.onUpload = () => controller.abort();
    await expect(push(options({ signal: controller.signal }))).rejects.toThrow(CancelledError);
    expect(hub.repositories.size).toBe(0);
  });

  test('of what no export wrote, to what is no name, or without a token is refused', async () => {
    await expect(push(options({ folder: memoryFiles('x', { 'a.txt': text('a') }) }))).rejects.toThrow(MissingError);
    await expect(push(options({ repository: 'nowhere' }))).rejects.toThrow(UsageError);
    await expect(push(options({ token: '' }))).rejects.toThrow('HF_TOKEN');
    await expect(push(options({ token: 'mine' }))).rejects.toThrow('those of the hub begin with hf_');
    expect(hub.repositories.size).toBe(0);
  });
});
