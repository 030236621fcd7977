import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CancelledError, FileFormatError, MissingError, NetworkError, StorageError, UsageError } from '../../errors.ts';
import type { Progress } from '../../progress.ts';
import { diskStore } from '../files/disk.ts';
import { writeSafetensors } from '../formats/safetensors/safetensors-write.ts';
import { type HubServer, startHub } from '../testing/hub-server.ts';
import { tryDiskLock } from './disk-lock.ts';
import { download, findStored, openHubModel, planDownload } from './hub.ts';
import { chooseFiles, type HubFile } from './hub-files.ts';
import { type HubModel, parseHubModel } from './hub-model.ts';
import type { ModelStore } from './model-store.ts';

const values = Float32Array.from({ length: 50_000 }, (_, i) => i);
const FILES = {
  'config.json': new TextEncoder().encode('{"model_type":"llama"}'),
  'README.md': new TextEncoder().encode('---\nlicense: mit\n---\n'),
  'model.safetensors': writeSafetensors(new Map([['a', { dtype: 'F32', shape: [values.length], data: values }]])),
  'pytorch_model.bin': new Uint8Array(5000),
};
const WANTED = FILES['config.json'].length + FILES['README.md'].length + FILES['model.safetensors'].length;

let hub: HubServer;
let root = '';
let store: ModelStore;
let model: HubModel;
beforeEach(async () => {
  hub = await startHub('org/tiny', FILES);
  root = await mkdtemp(join(tmpdir(), 'espalier-hub-'));
  store = diskStore(join(root, 'cache'));
  model = { id: 'org/tiny', revision: 'main', endpoint: hub.url };
});
afterEach(async () => {
  await hub.close();
  await rm(root, { recursive: true });
});
const get = async (options: Parameters<typeof download>[2] = {}) =>
  download(await planDownload(model, store, options), store, options);
const fileRequests = () => hub.requests.filter((request) => request.includes('model.safetensors'));

describe('names of models', () => {
  const ENDPOINT = 'https://hub.example';
  test.each<[string, Partial<HubModel> | undefined]>([
    ['org/name', { id: 'org/name', revision: 'main', endpoint: ENDPOINT }],
    ['org/na.me-1_x@v1.0', { id: 'org/na.me-1_x', revision: 'v1.0' }],
    ['https://other.example/org/name', { id: 'org/name', endpoint: 'https://other.example' }],
    ['https://other.example/org/name/tree/refs%2Fpr%2F1', { revision: 'refs/pr/1' }],
    ['https://other.example/org/name/blob/main/sub/x.gguf?download=true', { file: 'sub/x.gguf' }],
    ['name', undefined],
    ['./org/name', undefined],
    ['a/b/c', undefined],
    ['../name', undefined],
    ['org/..', undefined],
    ['C:\\models', undefined],
  ])('%s', (text, expected) => {
    const parsed = parseHubModel(text, `${ENDPOINT}/`);
    if (expected) expect(parsed).toMatchObject(expected);
    else expect(parsed).toBeUndefined();
  });
  test('addresses of other things are refused', () => {
    for (const text of [
      'https://h.example/datasets/org/name',
      'https://h.example/org',
      'https://h.example/org/name/discussions/3',
    ]) {
      expect(() => parseHubModel(text)).toThrow(UsageError);
    }
    expect(() => parseHubModel('org/name@../x')).toThrow(UsageError);
  });
});

describe('what is downloaded', () => {
  const file = (name: string, size = 10): HubFile => ({ name, size, digest: { kind: 'git', value: '' } });
  const names = (files: HubFile[], wanted?: string) =>
    chooseFiles(files, 'org/m', wanted)
      .map(({ name }) => name)
      .sort();
  test('a README of megabytes is left where it is, a tokenizer of any size comes along', () => {
    const large = [file('README.md', 2 ** 21), file('tokenizer.json', 2 ** 24), file('model.safetensors', 2 ** 30)];
    expect(names(large)).toEqual(['model.safetensors', 'tokenizer.json']);
    expect(names([file('README.md', 2 ** 20), file('model.safetensors')])).toEqual(['README.md', 'model.safetensors']);
  });
  test('a tokenizer.model comes where it is the only tokenizer, and templates of all names come along', () => {
    const model = [file('model.safetensors', 2 ** 30), file('tokenizer.model', 2 ** 22)];
    expect(names(model)).toEqual(['model.safetensors', 'tokenizer.model']);
    expect(names([...model, file('tokenizer.json')])).toEqual(['model.safetensors', 'tokenizer.json']);
    expect(names([...model, file('additional_chat_templates/tool_use.jinja'), file('other/x.jinja')])).toEqual([
      'additional_chat_templates/tool_use.jinja',
      'model.safetensors',
      'tokenizer.model',
    ]);
  });
  test('companions and one form of the weights', () => {
    const safetensors = [
      file('config.json'),
      file('model.safetensors', 1e6),
      file('x.gguf'),
      file('pytorch_model.bin'),
      file('onnx/model.onnx'),
    ];
    expect(names(safetensors)).toEqual(['config.json', 'model.safetensors']);
    expect(names(safetensors, 'x.gguf')).toEqual(['config.json', 'x.gguf']);
    const parts = [
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'model.safetensors.index.json',
    ];
    expect(names([...parts.map((name) => file(name)), file('consolidated.safetensors')])).toEqual(parts);
    expect(names([file('m-00001-of-00002.gguf'), file('m-00002-of-00002.gguf')])).toEqual([
      'm-00001-of-00002.gguf',
      'm-00002-of-00002.gguf',
    ]);
    expect(() => names([file('a-Q4_0.gguf', 4e8), file('a-Q8_0.gguf', 8e9)])).toThrow(
      /2 GGUF files: a-Q4_0.gguf \(400 MB\), a-Q8_0.gguf \(8.00 GB\). Paste the address/,
    );
    expect(
      names(['onnx/model.onnx', 'onnx/model.onnx_data', 'onnx/model_q4.onnx', 'config.json'].map((name) => file(name))),
    ).toEqual(['config.json', 'onnx/model.onnx', 'onnx/model.onnx_data']);
    expect(() => names([file('pytorch_model.bin')])).toThrow(MissingError);
  });
});

test('a plan tells sizes before anything comes; then the model opens, and needs no network again', async () => {
  const plan = await planDownload(model, store);
  expect(plan).toMatchObject({ commit: hub.commit, licence: 'mit', bytes: WANTED, present: 0 });
  expect(plan.files.map(({ name }) => name)).toEqual(['README.md', 'config.json', 'model.safetensors']);
  const events: Progress[] = [];
  const opened = await openHubModel(model, store, { onProgress: (event) => events.push(event) });
  expect([...(await opened.read('a', { start: 7, end: 9 }))]).toEqual([7, 8]);
  expect(opened.provenance).toMatchObject({ name: 'org/tiny', revision: hub.commit, licence: 'mit' });
  expect(events.at(-1)).toEqual({ stage: 'downloading', completed: WANTED, total: WANTED, unit: 'bytes' });
  await hub.close();
  expect((await openHubModel(model, store)).config.model_type).toBe('llama');
  expect((await openHubModel({ ...model, revision: hub.commit }, store)).config.model_type).toBe('llama');
  await expect(openHubModel({ ...model, revision: 'other' }, store)).rejects.toThrow(/cannot be reached/);
  hub = await startHub('org/tiny', FILES);
});

test('cut connections are taken up where they broke, and progress never goes back', async () => {
  hub.mischief.cut = { bytes: 60_000, times: 2 };
  const completed: number[] = [];
  await get({ onProgress: (event) => completed.push(event.completed) });
  expect(fileRequests().filter((request) => request.includes('/cdn/'))).toEqual([
    '/cdn/model.safetensors',
    '/cdn/model.safetensors bytes=60000-',
    '/cdn/model.safetensors bytes=120000-',
  ]);
  expect(completed).toEqual([...completed].sort((a, b) => a - b));
  expect(completed.at(-1)).toBe(WANTED);
  const { files } = (await store.list())[0] ?? { files: [] };
  expect(files.map(({ name }) => name)).toContain('model.safetensors');
});

test('a cancelled download goes on later; only what is missing comes', async () => {
  hub.mischief.slow = 20;
  const controller = new AbortController();
  const first = get({
    signal: controller.signal,
    onProgress: ({ completed }) => completed > 50_000 && controller.abort(),
  });
  await expect(first).rejects.toThrow(CancelledError);
  expect(await store.list()).toEqual([]);
  const folder = join(root, 'cache', (await readdir(join(root, 'cache')))[0] ?? '');
  expect(await readdir(folder)).toEqual(['README.md', 'config.json', 'model.safetensors.part']);
  const there = (await stat(join(folder, 'model.safetensors.part'))).size;
  expect(there).toBeGreaterThan(0);
  hub.mischief.slow = undefined;
  hub.requests.length = 0;
  const completed: number[] = [];
  await get({ onProgress: (event) => completed.push(event.completed) });
  expect(fileRequests().at(-1)).toBe(`/cdn/model.safetensors bytes=${there}-`);
  expect(hub.requests.some((request) => request.includes('config.json'))).toBe(false);
  expect((await openHubModel(model, store)).tensors.size).toBe(1);
  expect((await readdir(folder)).sort()).toEqual([
    'README.md',
    'config.json',
    'espalier-model.json',
    'model.safetensors',
  ]);
});

describe('two at once', () => {
  const bodies = () =>
    hub.requests.filter(
      (request) => request === '/cdn/model.safetensors' || request.startsWith('/cdn/model.safetensors bytes='),
    );

  test('the second waits for the first, sees its progress and fetches nothing again', async () => {
    hub.mischief.slow = 20;
    const other = diskStore(join(root, 'cache'));
    const seen: number[] = [];
    const [first, second] = await Promise.all([
      openHubModel(model, store),
      openHubModel(model, other, { onProgress: ({ completed }) => seen.push(completed) }),
    ]);
    expect(bodies()).toEqual(['/cdn/model.safetensors']);
    expect(await first.sha256()).toBe(await second.sha256());
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.at(-1)).toBe(WANTED);
    expect((await readdir(join(root, 'cache'))).filter((name) => name.includes('lock'))).toEqual([]);
  });

  test('when the first gives up, the second goes on where it was', async () => {
    hub.mischief.slow = 20;
    const controller = new AbortController();
    let begun = () => {};
    const hasBegun = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const first = get({
      signal: controller.signal,
      onProgress: ({ completed }) => {
        begun();
        if (completed > 50_000) controller.abort();
      },
    });
    // Whoever comes first downloads: the second must find the lock taken.
    await hasBegun;
    const second = openHubModel(model, diskStore(join(root, 'cache')));
    await expect(first).rejects.toThrow(CancelledError);
    expect((await second).tensors.size).toBe(1);
    expect(bodies()[1]).toMatch(/bytes=\d{5,}-/);
  });

  test('nobody deletes a model that is coming, and a wait can be cancelled', async () => {
    const key = { id: model.id, commit: hub.commit };
    const lock = await store.tryLock(key);
    expect(await diskStore(join(root, 'cache')).tryLock(key)).toBeUndefined();
    await expect(store.delete(key)).rejects.toThrow(/org\/tiny is being downloaded by another process or page/);
    const controller = new AbortController();
    await expect(get({ signal: controller.signal, onProgress: () => controller.abort() })).rejects.toThrow(
      CancelledError,
    );
    await lock?.[Symbol.asyncDispose]();
    await get();
  });

  test('a process that died in the middle holds nothing', async () => {
    const key = { id: model.id, commit: hub.commit };
    const path = join(root, 'cache', `org--tiny--${hub.commit}.lock`);
    // A process of its own takes the lock as another `espalier` would, and ends without giving it back.
    const script = `const { writeFileSync, mkdirSync } = require('node:fs'); const { dirname } = require('node:path');
      mkdirSync(dirname(${JSON.stringify(path)}), { recursive: true });
      writeFileSync(${JSON.stringify(path)}, JSON.stringify({ host: require('node:os').hostname(), process: process.pid }));`;
    execFileSync(process.execPath, ['-e', script]);
    expect(await store.tryLock(key)).toBeDefined();
    // And one of another machine, that has not been heard of for two minutes.
    const elsewhere = join(root, 'elsewhere.lock');
    await writeFile(elsewhere, JSON.stringify({ host: 'another', process: 1 }));
    expect(await tryDiskLock(elsewhere)).toBeUndefined();
    const past = new Date(Date.now() - 120_000);
    await utimes(elsewhere, past, past);
    expect(await tryDiskLock(elsewhere)).toBeDefined();
  });

  test('one that is just clearing a dead process away is waited for, and one that died at that is not', async () => {
    const path = join(root, 'cleared.lock');
    const turn = `${path}.clearing`;
    await writeFile(path, JSON.stringify({ host: hostname(), process: 2 ** 30 }));
    await mkdir(turn);
    expect(await tryDiskLock(path)).toBeUndefined();
    expect(await tryDiskLock(path)).toBeUndefined();
    const past = new Date(Date.now() - 120_000);
    await utimes(turn, past, past);
    expect(await tryDiskLock(path)).toBeUndefined();
    expect(await tryDiskLock(path)).toBeDefined();
  });

  test('of many who try at once one gets the lock', async () => {
    for (let round = 0; round < 40; round++) {
      const path = join(root, `many-${round}.lock`);
      await writeFile(path, JSON.stringify({ host: hostname(), process: 2 ** 30 }));
      const locks = await Promise.all(Array.from({ length: 20 }, () => tryDiskLock(path)));
      expect(locks.filter((lock) => lock !== undefined)).toHaveLength(1);
    }
  });
});

test('a server without ranges begins again, and the file is right', async () => {
  hub.mischief.cut = { bytes: 60_000, times: 1 };
  hub.mischief.noRanges = true;
  const completed: number[] = [];
  await get({ onProgress: (event) => completed.push(event.completed) });
  expect(completed).toEqual([...completed].sort((a, b) => a - b));
  expect((await openHubModel(model, store)).byteLength).toBe(FILES['model.safetensors'].length);
});

test.each(['model.safetensors', 'config.json'])('wrong bytes of %s are noticed and discarded', async (name) => {
  hub.mischief.corrupt = name;
  await expect(get()).rejects.toThrow(new RegExp(`${name} came with other bytes than the hub promises`));
  expect(await store.list()).toEqual([]);
  hub.mischief.corrupt = undefined;
  await get();
  expect(await store.list()).toHaveLength(1);
});

test('more bytes than promised, and a stale longer partial file, do no harm', async () => {
  hub.mischief.tooLong = 'model.safetensors';
  await expect(get()).rejects.toThrow(FileFormatError);
  hub.mischief.tooLong = undefined;
  const folder = join(root, 'cache', `org--tiny--${hub.commit}`);
  await writeFile(join(folder, 'model.safetensors.part'), new Uint8Array(FILES['model.safetensors'].length + 5));
  await get();
  expect([...(await (await openHubModel(model, store)).read('a', { start: 1, end: 2 }))]).toEqual([1]);
});

test('a busy server is asked again, a silent one is given up', async () => {
  hub.mischief.busy = { status: 503, times: 2 };
  await get();
  await store.delete({ id: model.id, commit: hub.commit });
  hub.mischief.silent = 99;
  const impatient: typeof fetch = (input, init) => fetch(input, init);
  const { downloadFile } = await import('./hub-download.ts');
  const plan = await planDownload(model, store);
  const [file] = plan.files.slice(-1);
  if (!file) throw new Error('no file');
  const transfer = { fetch: impatient, signal: undefined, onBytes: () => undefined, patience: 50, tries: 1 };
  const partial = () => store.partial({ id: model.id, commit: hub.commit }, file.name);
  const url = `${hub.url}/org/tiny/resolve/${hub.commit}/model.safetensors`;
  await expect(downloadFile(url, file, partial, transfer)).rejects.toThrow(
    /the server fell silent at \d+ of \d+ bytes/,
  );
});

test('access, spelling and what is no hub are told apart', async () => {
  hub.mischief.token = 'hf_secret';
  await expect(planDownload(model, store)).rejects.toThrow(/refuses access to org\/tiny.* Set HF_TOKEN/);
  await expect(planDownload(model, store, { token: 'hf_wrong' })).rejects.toThrow(/Check the token/);
  await expect(planDownload(model, store, { token: 'secret' })).rejects.toThrow('those of the hub begin with hf_');
  await get({ token: 'hf_secret' });
  hub.mischief.token = undefined;
  await expect(planDownload({ ...model, id: 'org/other' }, store)).rejects.toThrow(MissingError);
  await expect(planDownload({ ...model, revision: 'v9' }, store)).rejects.toThrow(/has no model org\/tiny@v9/);
  hub.mischief.status = 500;
  await expect(planDownload(model, store)).rejects.toThrow(/answered with status 500/);
  hub.mischief.status = undefined;
  hub.mischief.nonsense = true;
  await expect(planDownload(model, store)).rejects.toThrow(NetworkError);
  await expect(planDownload({ ...model, endpoint: 'http://127.0.0.1:1' }, store)).rejects.toThrow(/cannot be reached/);
});

test('a store that is too full says so before anything comes', async () => {
  const full: ModelStore = { ...store, available: async () => 1000 };
  await expect(download(await planDownload(model, full), full)).rejects.toThrow(
    /org\/tiny needs 0\.2 MB and 0\.0 MB are free/,
  );
  await expect(download(await planDownload(model, full), full)).rejects.toThrow(StorageError);
  expect(fileRequests()).toEqual([]);
});

test('stored models can be listed and deleted', async () => {
  const manifest = await get();
  expect(await store.list()).toEqual([manifest]);
  expect(await findStored({ ...model, revision: 'v1' }, store)).toBeUndefined();
  expect((await store.available()) ?? 0).toBeGreaterThan(0);
  await store.delete(manifest);
  expect(await store.list()).toEqual([]);
  expect(await readdir(join(root, 'cache'))).toEqual([]);
});
