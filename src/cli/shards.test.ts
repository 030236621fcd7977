import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeScores } from '../importance/files/score-file.ts';
import { METRICS, type Scores } from '../importance/sums/scores.ts';
import { resultOf, runInside } from './testing/run.ts';
import { tinyText, writeTinyModel } from './testing/tiny-model.ts';

/** Sharded scoring as it is deployed: the scripts of `deploy/` run their shards as processes, and the merged file equals that of one run. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PROGRAM = `${process.execPath} ${join(ROOT, 'bin/espalier.js')}`;
const SHARDS = 3;

let folder: string;
let model: string;
let text: string;
let whole: Scores;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-shards-'));
  model = await writeTinyModel(join(folder, 'tiny'));
  text = join(folder, 'text.txt');
  await writeFile(text, tinyText(900));
  await resultOf(['score', model, ...calibration(), '--output', join(folder, 'whole.safetensors')]);
  whole = await scoresOf(join(folder, 'whole.safetensors'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const calibration = () => ['--calibration', text, '--windows', '8', '--length', '16', '--threads', '1'];
const scoresOf = async (path: string) => decodeScores(new Uint8Array(await readFile(path)), path);

/** Runs a script with the environment of one pod or task; resolves with what it printed. */
function script(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const env = {
    ...process.env,
    ESPALIER: PROGRAM,
    MODEL: model,
    CALIBRATION: text,
    WINDOWS: '8',
    LENGTH: '16',
    SEED: '0',
    ...environment,
  };
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let printed = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (part: string) => (printed += part));
    child
      .on('error', reject)
      .on('close', (code) =>
        code === 0 ? resolve(printed) : reject(new Error(`${command} ended with ${code}: ${printed}`)),
      );
  });
}

/** Every metric of `found` equals that of the unsharded run to float32 rounding. */
function expectSame(found: Scores, metrics: readonly string[]): void {
  expect(found.groups).toEqual(whole.groups);
  expect(found.model).toEqual(whole.model);
  const { loss, ...rest } = found.calibration;
  const { loss: expectedLoss, ...expectedRest } = whole.calibration;
  expect(rest).toEqual(expectedRest);
  expect(loss).toBeCloseTo(expectedLoss, 6);
  for (const [layer, modules] of whole.layers.entries()) {
    for (const kind of ['attention', 'mlp'] as const) {
      const scores = found.layers[layer]?.[kind] ?? {};
      expect(Object.keys(scores).sort()).toEqual([...metrics].sort());
      for (const [metric, values] of Object.entries(scores)) {
        const expected = modules[kind][metric as 'fisher'] ?? [];
        const largest = Math.max(...expected);
        values.forEach((value, group) => {
          expect(
            Math.abs(value - (expected[group] ?? Number.NaN)),
            `${metric} of ${kind} ${group} in layer ${layer}`,
          ).toBeLessThan(1e-5 * largest);
        });
      }
    }
  }
}

describe('sharded scoring', () => {
  it('a Slurm array scores all metrics, and its merge equals one run', async () => {
    const RESULTS = join(folder, 'slurm');
    const task = (index: number) =>
      script('sh', [join(ROOT, 'deploy/slurm-array.sh')], {
        RESULTS,
        METRICS: METRICS.join(','),
        SLURM_ARRAY_TASK_ID: String(index),
        SLURM_ARRAY_TASK_COUNT: String(SHARDS),
        SLURM_CPUS_PER_TASK: '1',
      });
    await Promise.all(Array.from({ length: SHARDS }, (_, index) => task(index)));
    const names = (await readdir(RESULTS)).sort();
    expect(names).toEqual(['shard-0.safetensors', 'shard-1.safetensors', 'shard-2.safetensors']);
    expect(await task(1)).toBe('');
    await script('sh', [join(ROOT, 'deploy/slurm-array.sh'), 'merge'], { RESULTS });
    expectSame(await scoresOf(join(RESULTS, 'scores.safetensors')), METRICS);
  });

  it('the pods of a Kubernetes indexed Job score the default recipe in small files', async () => {
    const manifest = await readFile(join(ROOT, 'deploy/kubernetes-job.yaml'), 'utf8');
    const [, block = ''] = /args:\n +- \|\n((?: {14}.*\n)+)/.exec(manifest) ?? [];
    const variables = Object.fromEntries(
      [...manifest.matchAll(/\{ name: ([A-Z]+), value: "?([^"}]*?)"? \}/g)].map(([, name, value]) => [name, value]),
    );
    expect(manifest).toContain(`completions: ${variables.SHARDS}\n`);
    const results = join(folder, 'kubernetes');
    const pod = (index: number) =>
      script('sh', ['-euc', block.replaceAll(/^ {14}/gm, '')], {
        METRICS: String(variables.METRICS),
        RESULTS: results,
        SHARDS: '2',
        THREADS: '1',
        JOB_COMPLETION_INDEX: String(index),
      });
    await Promise.all([pod(0), pod(1)]);
    const parts = [1, 0].map((index) => join(results, `shard-${index}.safetensors`));
    const merged = join(folder, 'merged.safetensors');
    const result = await resultOf(['merge-scores', ...parts, '--output', merged]);
    expect(result).toMatchObject({
      shards: 2,
      windows: 8,
      tokens: 8 * 15,
      metrics: ['element-second', 'fisher', 'stability'],
    });
    expectSame(await scoresOf(merged), ['element-second', 'fisher', 'stability']);
    for (const part of parts) expect((await readFile(part)).length).toBeLessThan(60_000);
    const planned = await resultOf(['plan', merged, '--ratio', '0.3', '--output', join(folder, 'plan.json')]);
    const expected = await resultOf([
      'plan',
      join(folder, 'whole.safetensors'),
      '--ratio',
      '0.3',
      '--output',
      join(folder, 'expected.json'),
    ]);
    expect(planned.layers).toEqual(expected.layers);
  });

  it('refuses what does not belong together, and leaves nothing', async () => {
    const shard = async (name: string, part: string, more: readonly string[] = []) => {
      const path = join(folder, name);
      const result = await resultOf([
        'score',
        model,
        ...calibration(),
        '--metrics',
        'fisher',
        '--shard',
        part,
        ...more,
        '--output',
        path,
      ]);
      expect(result).toMatchObject({ shard: { index: Number(part[0]), count: Number(part[2]) } });
      return path;
    };
    const [a, b, other] = [
      await shard('a', '0/2'),
      await shard('b', '1/2'),
      await shard('other', '1/2', ['--seed', '1']),
    ];
    const damaged = join(folder, 'damaged');
    const bytes = await readFile(b);
    await writeFile(damaged, bytes.subarray(0, bytes.length - 8));
    const output = join(folder, 'refused');
    for (const [paths, message] of [
      [[a], 'Of 2 shards 1 are not there'],
      [[a, a], 'are both shard 0'],
      [[a, other], 'the seed is 0 and 1'],
      [[a, damaged], 'truncated or damaged'],
      [[a, join(folder, 'whole.safetensors')], 'a file of "espalier score --shard"'],
      [[a, join(folder, 'nothing')], 'There is no file'],
    ] as const) {
      const run = await runInside(['merge-scores', ...paths, '--output', output]);
      expect(run.code, message).toBeGreaterThan(0);
      expect(run.stderr).toContain(message);
    }
    const before = (await readdir(folder)).sort();
    for (const wrong of ['2/2', '1', '-1/2', 'a/b', '0/0']) {
      const run = await runInside(['score', model, ...calibration(), `--shard=${wrong}`, '--output', output]);
      expect(run.code, wrong).toBe(2);
      expect(run.stderr).toContain('i from 0 to n - 1');
    }
    const tooMany = await runInside(['score', model, ...calibration(), '--shard', '0/9', '--output', output]);
    expect(tooMany).toMatchObject({ code: 2 });
    expect(tooMany.stderr).toContain('8 calibration windows cannot be split into 9 shards');
    let pressed = false;
    const interrupted = await runInside(
      ['score', model, ...calibration(), '--shard', '0/2', '--output', join(folder, 'new/folder/part')],
      (line) => {
        if (pressed || !line.startsWith('scoring')) return;
        pressed = true;
        process.emit('SIGINT');
      },
    );
    expect(interrupted.code).toBe(130);
    expect((await readdir(folder)).sort()).toEqual(before);
  });
});
