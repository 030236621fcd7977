import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { startHub } from '../checkpoint/testing/hub-server.ts';
import { resultOf, runInside } from './testing/run.ts';
import { writeTinyModel } from './testing/tiny-model.ts';

let folder: string;
let files: Record<string, Uint8Array>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-hub-'));
  const model = await writeTinyModel(join(folder, 'tiny'));
  files = Object.fromEntries(
    await Promise.all(
      (await readdir(model)).map(async (name) => [name, new Uint8Array(await readFile(join(model, name)))] as const),
    ),
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

it('takes a model from the hub once, and works offline afterwards', async () => {
  const hub = await startHub('org/tiny', files);
  vi.stubEnv('HF_ENDPOINT', hub.url);
  vi.stubEnv('ESPALIER_CACHE', join(folder, 'cache'));
  const { code, stdout, stderr } = await runInside(['inspect', 'org/tiny', '--json']);
  await hub.close();
  expect(code, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ name: 'org/tiny', architecture: 'llama' });
  expect(stderr).toContain('Downloading org/tiny: ');
  expect(await resultOf(['inspect', 'org/tiny'])).toEqual(JSON.parse(stdout));
});

it('says in one sentence what a model that the hub lacks is', async () => {
  const hub = await startHub('org/tiny', files);
  vi.stubEnv('HF_ENDPOINT', hub.url);
  vi.stubEnv('ESPALIER_CACHE', join(folder, 'empty'));
  const { code, stderr } = await runInside(['inspect', 'org/other']);
  await hub.close();
  expect(code).toBe(1);
  expect(stderr).toContain('org/other');
});

it('sends the token to the hub that it belongs to, and to no other', async () => {
  const hub = await startHub('org/tiny', files);
  hub.mischief.token = 'hf_secret';
  vi.stubEnv('HF_TOKEN', 'hf_secret');
  vi.stubEnv('ESPALIER_CACHE', join(folder, 'tokens'));
  const elsewhere = await runInside(['inspect', `${hub.url}/org/tiny`]);
  vi.stubEnv('HF_ENDPOINT', hub.url);
  const home = await runInside(['inspect', `${hub.url}/org/tiny`]);
  await hub.close();
  expect(elsewhere.code).toBe(1);
  expect(elsewhere.stderr).toContain(`Set HF_TOKEN, and HF_ENDPOINT to ${hub.url}, if you have access.`);
  expect(home.code, home.stderr).toBe(0);
});
