import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { startUploadHub, type UploadHub } from '../checkpoint/testing/upload-hub.ts';
import { resultOf, runInside } from './testing/run.ts';

let hub: UploadHub;
let folder: string;
beforeAll(async () => {
  hub = await startUploadHub('hf_test');
  folder = await mkdtemp(join(tmpdir(), 'espalier-push-'));
  await writeFile(join(folder, 'espalier.json'), '{}');
  await writeFile(join(folder, 'README.md'), '# pruned');
});
afterAll(async () => {
  await hub.close();
  await rm(folder, { recursive: true });
});

afterEach(() => vi.unstubAllEnvs());

test('push publishes a folder with the token of the environment', async () => {
  vi.stubEnv('HF_ENDPOINT', hub.url);
  vi.stubEnv('HF_TOKEN', 'hf_test');
  expect(await resultOf(['push', folder, 'me/model', '--private'])).toMatchObject({
    url: `${hub.url}/me/model`,
    isNew: true,
  });
  expect([...(hub.repositories.get('me/model')?.files.keys() ?? [])].sort()).toEqual(['README.md', 'espalier.json']);
});

test('push without a token says where it belongs', async () => {
  vi.stubEnv('HF_ENDPOINT', hub.url);
  vi.stubEnv('HF_TOKEN', '');
  const { code, stderr } = await runInside(['push', folder, 'me/model']);
  expect(code).toBe(2);
  expect(stderr).toContain('Set HF_TOKEN');
});
