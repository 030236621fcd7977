import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Plan } from '../plan/plan.ts';
import { resultOf, runInside } from './testing/run.ts';
import { tinyText, writeTinyModel } from './testing/tiny-model.ts';

/** Where a plan of `plan` and `prune` comes from, and that what is written is as large as was asked for. */
const SHAPE = {
  layers: 3,
  hiddenSize: 64,
  queryHeads: 8,
  keyValueHeads: 4,
  headDimension: 8,
  neurons: 96,
  vocabulary: 32,
};
let folder: string;
let model: string;
let scores: string;
let calibration: readonly string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-plans-'));
  model = await writeTinyModel(join(folder, 'tiny'), { weights: SHAPE });
  await writeFile(join(folder, 'text.txt'), tinyText(1600));
  calibration = ['--calibration', join(folder, 'text.txt'), '--windows', '8', '--length', '16'];
  scores = join(folder, 'scores.safetensors');
  await resultOf(['score', model, ...calibration, '--output', scores]);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const groupBytes = {
  f32: 4 * SHAPE.headDimension * SHAPE.hiddenSize * 6,
  q8: 1.2 * SHAPE.headDimension * SHAPE.hiddenSize * 6,
  q4: 0.7 * SHAPE.headDimension * SHAPE.hiddenSize * 6,
};

async function pruned(name: string, args: readonly string[]) {
  const output = join(folder, name);
  const result = await resultOf(['prune', model, '--scores', scores, ...args, '--output', output]);
  const record = JSON.parse(await readFile(join(output, 'espalier.json'), 'utf8')) as {
    recipe: Plan['recipe'];
    kept: Plan['layers'];
  };
  return {
    ...(result as { parametersBefore: number; parametersAfter: number; bytes: number; ratio: number }),
    ...record,
  };
}

describe('prune', () => {
  it.each(['f32', 'q8', 'q4'] as const)(
    '--bytes bounds the ONNX files in %s, and leaves less than one group unused',
    async (dtype) => {
      const whole = await pruned(`whole-${dtype}`, ['--ratio', '0.01', '--dtype', dtype]);
      const bytes = Math.round(whole.bytes * 0.75);
      const result = await pruned(`bytes-${dtype}`, ['--bytes', String(bytes), '--dtype', dtype]);
      expect(result.bytes).toBeLessThanOrEqual(bytes);
      expect(result.bytes).toBeGreaterThan(bytes - groupBytes[dtype]);
      expect(result.recipe).toMatchObject({ dtype, target: { kind: 'bytes', value: bytes } });
    },
  );

  it('--memory counts the cache at --context tokens', async () => {
    const context = 500;
    const cacheOf = (layers: Plan['layers']) =>
      layers.reduce((sum, { attention }) => sum + attention.length * 2 * SHAPE.headDimension * context * 4, 0);
    const value = 620_000;
    const result = await pruned('memory', ['--memory', String(value), '--context', String(context)]);
    const used = result.bytes + cacheOf(result.kept);
    expect(used).toBeLessThanOrEqual(value);
    expect(used).toBeGreaterThan(value - groupBytes.f32 - 2 * SHAPE.headDimension * context * 4);
    const planned = await resultOf([
      'plan',
      scores,
      '--memory',
      String(value),
      '--context',
      String(context),
      '--output',
      join(folder, 'memory.json'),
    ]);
    // Scores alone do not know the graph and the alignment of its tensors.
    expect(Math.abs((planned.parametersAfter as number) - result.parametersAfter)).toBeLessThan(
      0.2 * result.parametersBefore,
    );
  });

  it('takes the number format from the plan unless another is asked for', async () => {
    const plan = join(folder, 'q8.json');
    await resultOf(['plan', scores, '--ratio', '0.2', '--dtype', 'q8', '--output', plan]);
    const run = await resultOf(['prune', model, '--plan', plan, '--output', join(folder, 'from-plan')]);
    expect(run.parametersAfter).toBeLessThan(run.parametersBefore as number);
    expect(JSON.parse(await readFile(join(folder, 'from-plan/espalier.json'), 'utf8'))).toMatchObject({ dtype: 'q8' });
  });

  it('--search measured is no worse on its windows than the closed-form plan, and says what it tried', async () => {
    const measuring = [...calibration, '--measure-windows', '8', '--evaluations', '4'];
    const args = [
      'prune',
      model,
      '--scores',
      scores,
      '--ratio',
      '0.3',
      '--search',
      'measured',
      ...measuring,
      '--output',
      join(folder, 'measured'),
      '--json',
    ];
    const run = await runInside(args);
    expect(run.code, run.stderr).toBe(0);
    const losses = [...run.stderr.matchAll(/^(candidate|walk) .*: KL ([\d.]+)$/gm)].map(([, , loss]) => Number(loss));
    expect(run.stderr).toMatch(/^candidate tempered: KL/m);
    expect(losses.length).toBeGreaterThan(5);
    const best = Number(/the best has a KL from the dense model of ([\d.]+) nats/.exec(run.stderr)?.[1]);
    expect(best).toBe(Math.min(...losses));
    const record = JSON.parse(await readFile(join(folder, 'measured/espalier.json'), 'utf8')) as {
      recipe: Plan['recipe'];
    };
    expect(record.recipe.measured?.evaluations).toBe(losses.length);
    expect(record.recipe.measured?.loss).toBeCloseTo(best, 3);
    expect(record.recipe.measured?.of).toBe('kl');
  });

  it('--passes scores what is left after each part', async () => {
    const args = [
      'prune',
      model,
      '--ratio',
      '0.4',
      '--passes',
      '2',
      ...calibration,
      '--output',
      join(folder, 'passes'),
      '--json',
    ];
    const run = await runInside(args);
    expect(run.code, run.stderr).toBe(0);
    expect(run.stderr).toContain('scoring, pass 2 of 2');
    const once = await pruned('once', ['--ratio', '0.4', '--gamma', '0']);
    const record = JSON.parse(await readFile(join(folder, 'passes/espalier.json'), 'utf8')) as {
      recipe: Plan['recipe'];
      kept: Plan['layers'];
      parametersAfter: number;
    };
    expect(record.recipe).toMatchObject({ passes: 2, gamma: 0 });
    expect(Math.abs(record.parametersAfter - once.parametersAfter)).toBeLessThanOrEqual(
      SHAPE.headDimension * SHAPE.hiddenSize * 6,
    );
    expect(record.kept).not.toEqual(once.kept);
  });
});

describe('plan', () => {
  it.each([
    [['--memory', '60 stones'], '--memory is "60 stones"; it must be a whole number of bytes, or a size such as 60MB'],
    [['--bytes', '0.5'], '--bytes is "0.5"'],
    [['--ratio', '0.2', '--context', '9'], '--context 9 belongs to --memory'],
    [['--ratio', '0.2', '--search', 'measured'], 'prune MODEL --search measured'],
  ])('refuses %j', async (args, message) => {
    const run = await runInside(['plan', scores, ...args, '--output', join(folder, 'refused.json')]);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toContain(message);
  });
});

it('prune refuses to measure in passes', async () => {
  const run = await runInside([
    'prune',
    model,
    '--ratio',
    '0.2',
    '--search',
    'measured',
    '--passes',
    '2',
    ...calibration,
    '--output',
    join(folder, 'refused'),
  ]);
  expect(run.code).toBe(2);
  expect(run.stderr).toContain('--search measured plans in one pass');
});

it.each([
  [['--tokens-per-second', '5', '--ratio', '0.2'], '--tokens-per-second is a target by itself; leave out --ratio'],
  [['--tokens-per-second', '5', '--passes', '2'], 'leave out --search measured, --passes and --vocabulary'],
  [['--tokens-per-second', '0.0001'], 'The whole model writes'],
])('prune refuses %j', async (args, message) => {
  const output = join(folder, 'too-fast');
  const run = await runInside(['prune', model, '--scores', scores, ...args, '--output', output]);
  expect(run).toMatchObject({ code: 2, stdout: '' });
  expect(run.stderr).toContain(message);
});

it('sizes may be written with a unit, and the plan says what it did to fit', async () => {
  const args = ['plan', scores, '--memory', '620kB', '--context', '500', '--output', join(folder, 'fits.json')];
  const { stdout } = await runInside(args);
  expect(stdout).toMatch(
    /At most 0\.62 MB in f32 with 500 tokens of context: about 0\.\d\d MB of weights and 0\.\d\d MB of cache are left, \d+ of \d+ attention groups, \d+ of \d+ neurons/,
  );
  const { reached } = (await resultOf([...args, '--json'])) as { reached: Record<string, unknown> };
  expect(reached).toMatchObject({ weightBytes: expect.any(Number), cacheBytes: expect.any(Number) });
});
