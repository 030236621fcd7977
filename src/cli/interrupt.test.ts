import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { espalier, runInside } from './testing/run.ts';
import { tinyText, writeTinyModel } from './testing/tiny-model.ts';

/** Ctrl-C at any point leaves nothing half-written (docs/architecture.md section 7.1). */
let folder: string;
let model: string;
let before: string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-interrupt-'));
  model = await writeTinyModel(join(folder, 'tiny'));
  await writeFile(join(folder, 'text.txt'), tinyText(20_000));
  const made = await runInside([
    'prune',
    model,
    '--ratio',
    '0.2',
    ...calibration(8),
    '--output',
    join(folder, 'earlier'),
  ]);
  expect(made.code, made.stderr).toBe(0);
  before = await tree();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const calibration = (windows: number) => [
  '--calibration',
  join(folder, 'text.txt'),
  '--windows',
  String(windows),
  '--length',
  '16',
  '--threads',
  '1',
];
const tree = async () => (await readdir(folder, { recursive: true })).sort();

/** Presses Ctrl-C the first time that standard error tells of the stage. */
async function interruptedAt(stage: string, args: readonly string[]) {
  let pressed = false;
  const run = await runInside(args, (line) => {
    if (pressed || !line.startsWith(stage)) return;
    pressed = true;
    process.emit('SIGINT');
  });
  return { ...run, pressed };
}

describe('Ctrl-C', () => {
  it('ends a process with 130 and leaves nothing', async () => {
    const args = ['score', model, ...calibration(1200), '--output', join(folder, 'scores.safetensors'), '--json'];
    const run = await espalier(args, {
      onOutput: ({ stderr }, interrupt) => stderr.includes('scoring') && interrupt(),
    });
    expect(run).toMatchObject({ code: 130, stdout: '' });
    expect(run.stderr).toContain('Interrupted; nothing was written.');
    expect(await tree()).toEqual(before);
  });

  it('ends a start on WebAssembly at once', async () => {
    const args = ['generate', model, '--prompt', 'a', '--max-new-tokens', '200', '--backend', 'wasm'];
    const run = await espalier(args, {
      onOutput: ({ stderr }, interrupt) => stderr.includes('Starting WebAssembly') && interrupt(),
    });
    expect(run).toMatchObject({ code: 130 });
  });

  it.each(['scoring', 'compensation', 'writing weights', 'verifying'])(
    'while prune is %s leaves no folder, and an earlier one as it was',
    async (stage) => {
      const how = ['--ratio', '0.3', ...calibration(8), '--compensate', 'least-squares'];
      for (const output of ['new', 'earlier']) {
        const record = await readFile(join(folder, 'earlier/espalier.json'), 'utf8');
        const run = await interruptedAt(stage, ['prune', model, ...how, '--output', join(folder, output)]);
        expect(run).toMatchObject({ pressed: true, code: 130, stdout: '' });
        expect(await tree()).toEqual(before);
        expect(await readFile(join(folder, 'earlier/espalier.json'), 'utf8')).toBe(record);
      }
    },
  );

  it('while compare works keeps the cells that are finished, and the next run goes on from them', async () => {
    const output = join(folder, 'compared.json');
    const text = ['--text', join(folder, 'text.txt'), '--window', '16', '--max-tokens', '160'];
    const args = [
      'compare',
      model,
      '--methods',
      'saap,random',
      '--ratios',
      '0.3',
      ...text,
      ...calibration(8),
      '--output',
      output,
    ];
    const run = await interruptedAt('comparison 2/', args);
    expect(run).toMatchObject({ pressed: true, code: 130 });
    expect(run.stderr).toContain(`Interrupted; ${output} keeps 2 finished cells. The same command goes on from there.`);
    expect(run.stderr).not.toContain('nothing was written');
    const kept = JSON.parse(await readFile(output, 'utf8')) as { rows: unknown[] };
    expect(kept.rows).toHaveLength(2);
    const finished = await runInside([...args, '--json']);
    expect(finished.code, finished.stderr).toBe(0);
    expect((JSON.parse(finished.stdout) as { rows: unknown[] }).rows.slice(0, 2)).toEqual(kept.rows);
  });
});
