import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { resultOf, runInside } from './testing/run.ts';
import { tinyText, writeTinyModel } from './testing/tiny-model.ts';

let folder: string;
let model: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-resume-'));
  model = await writeTinyModel(join(folder, 'tiny'));
  await writeFile(join(folder, 'text.txt'), tinyText(10_000));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const args = (output: string, seed = '1') => {
  const calibration = [
    '--calibration',
    join(folder, 'text.txt'),
    '--windows',
    '400',
    '--length',
    '16',
    '--seed',
    seed,
    '--threads',
    '1',
  ];
  return ['score', model, ...calibration, '--output', join(folder, output)];
};

it('score goes on where it was interrupted, to the same bytes; a partial file of other settings does not count', async () => {
  let pressed = false;
  const interrupted = await runInside(args('scores.safetensors'), (line) => {
    if (pressed || !/^scoring .*\([78]\d%/.test(line)) return;
    pressed = true;
    process.emit('SIGINT');
  });
  expect(interrupted).toMatchObject({ code: 130, stdout: '' });
  expect(interrupted.stderr).toContain(
    'scores.safetensors.partial keeps the layers that are scored. The same command goes on from there.',
  );
  expect(interrupted.stderr).not.toContain('nothing was written');
  expect((await readdir(folder)).sort()).toEqual(['scores.safetensors.partial', 'text.txt', 'tiny']);
  const partial = await readFile(join(folder, 'scores.safetensors.partial'));

  const finished = await resultOf(args('scores.safetensors'));
  expect(finished.resumedLayers).toBe(1);
  const whole = await resultOf(args('whole.safetensors'));
  expect(whole).toMatchObject({ resumedLayers: 0, loss: finished.loss });
  const bytes = await readFile(join(folder, 'whole.safetensors'));
  expect((await readFile(join(folder, 'scores.safetensors'))).equals(bytes)).toBe(true);

  for (const [name, contents] of [
    ['other.safetensors', partial],
    ['damaged.safetensors', partial.subarray(0, -9)],
  ] as const) {
    await writeFile(join(folder, `${name}.partial`), contents);
    expect((await resultOf(args(name, name.startsWith('other') ? '2' : '1'))).resumedLayers, name).toBe(0);
  }
  expect((await readFile(join(folder, 'damaged.safetensors'))).equals(bytes)).toBe(true);
  expect((await readdir(folder)).filter((name) => name.endsWith('.partial'))).toEqual([]);
});
