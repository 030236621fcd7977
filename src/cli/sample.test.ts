import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { resultOf } from './testing/run.ts';
import { tinyText, writeTinyModel } from './testing/tiny-model.ts';

let folder: string;
const inFolder = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-sample-'));
  await writeTinyModel(inFolder('tiny'));
  await writeFile(inFolder('text.txt'), tinyText(4_000));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const sampled = (output: string) =>
  resultOf([
    'sample',
    inFolder('tiny'),
    '--windows',
    '6',
    '--length',
    '16',
    '--threads',
    '1',
    '--output',
    inFolder(output),
  ]);
const scored = (...calibration: string[]) =>
  resultOf([
    'score',
    inFolder('tiny'),
    ...calibration,
    '--windows',
    '4',
    '--length',
    '16',
    '--output',
    inFolder('scores'),
  ]);

test('what a model writes is text to calibrate on, or windows that stand beside a text', async () => {
  expect(await sampled('own.jsonl')).toMatchObject({ texts: 6, tokens: 96, seed: 0, backend: 'cpu' });
  const lines = (await readFile(inFolder('own.jsonl'), 'utf8')).trim().split('\n');
  expect(lines.map((line) => typeof JSON.parse(line).text)).toEqual(Array(6).fill('string'));
  await sampled('own.json');
  const windows = JSON.parse(await readFile(inFolder('own.json'), 'utf8'));
  expect(windows.map((window: readonly number[]) => window.length)).toEqual(Array(6).fill(16));
  expect(await scored('--token-ids', inFolder('own.json'))).toMatchObject({ tokens: 6 * 15 });
  const both = ['--calibration', inFolder('text.txt'), '--token-ids', inFolder('own.json')];
  expect(await scored(...both)).toMatchObject({ tokens: 4 * 15 });
});
