import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeScores } from '../importance/files/score-file.ts';
import { resultOf, runInside } from './testing/run.ts';
import { tinyText, writeTinyModel } from './testing/tiny-model.ts';

let folder: string;
let model: string;
const at = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-divergence-'));
  model = await writeTinyModel(at('tiny'));
  await writeFile(at('text.txt'), tinyText(6000));
  await writeFile(at('other.txt'), tinyText(1500).split('').reverse().join(''));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const calibration = () => ['--calibration', at('text.txt'), '--windows', '6', '--length', '16', '--threads', '1'];
const score = (output: string, ...more: string[]) =>
  resultOf(['score', model, ...calibration(), ...more, '--output', at(output)]);
const scoresOf = async (name: string) => decodeScores(new Uint8Array(await readFile(at(name))), name);

describe('what importance is the gradient of', () => {
  it('is said beside the scores, drawn by seed, and the same from shards', async () => {
    const fast = ['--metrics', 'fast', '--objective', 'model', '--draws', '3'];
    const result = await score('model', ...fast);
    expect(result).toMatchObject({ objective: 'model', draws: 3, metrics: ['kronecker', 'fisher'] });
    for (const key of ['seconds', 'forwardSeconds', 'peakBytes', 'loss'])
      expect(result[key]).toEqual(expect.any(Number));
    const text = await score('text', '--metrics', 'fast');
    expect(text).toMatchObject({ objective: 'text' });
    expect(text).not.toHaveProperty('draws');
    expect(result.loss).toBeCloseTo(Number(text.loss), 5);
    const [drawn, ofText] = [await scoresOf('model'), await scoresOf('text')];
    expect(drawn.calibration).toMatchObject({ objective: 'model', draws: 3 });
    expect(ofText.calibration).not.toHaveProperty('objective');
    expect(drawn.layers).not.toEqual(ofText.layers);
    await score('again', ...fast);
    expect((await readFile(at('again'))).equals(await readFile(at('model')))).toBe(true);

    for (const index of [0, 1]) await score(`shard-${index}`, ...fast, '--shard', `${index}/2`);
    await resultOf(['merge-scores', at('shard-1'), at('shard-0'), '--output', at('merged')]);
    const merged = await scoresOf('merged');
    expect(merged.calibration.draws).toBe(3);
    for (const [layer, modules] of drawn.layers.entries())
      for (const metric of ['kronecker', 'fisher'] as const)
        modules.mlp[metric]?.forEach((value, group) => {
          expect(Math.abs((merged.layers[layer]?.mlp[metric]?.[group] ?? Number.NaN) / value - 1)).toBeLessThan(1e-4);
        });
    const planned = await resultOf([
      'plan',
      at('model'),
      '--metric',
      'kronecker+fisher',
      '--ratio',
      '0.3',
      '--output',
      at('plan'),
    ]);
    expect(planned.ratio).toBeGreaterThan(0.25);
  });

  it('is refused where options do not belong together', async () => {
    for (const [options, message] of [
      [['--draws', '2'], '--draws is for --objective model'],
      [['--objective', 'teacher'], 'go together'],
      [['--against', model], 'go together'],
    ] as const) {
      const run = await runInside(['score', model, ...calibration(), ...options, '--output', at('none')]);
      expect(run.code).toBe(2);
      expect(run.stderr).toContain(message);
    }
    const one = await runInside([
      'prune',
      model,
      ...calibration(),
      '--objective',
      'teacher',
      '--ratio',
      '0.2',
      '--output',
      at('none'),
    ]);
    expect(one.stderr).toContain('--objective teacher is for passes after the first');
  });
});

describe('how far a pruned model is from the dense one', () => {
  it('stands beside perplexity in prune, evaluate and compare, and is what a teacher takes the gradient of', async () => {
    const pruned = await resultOf(['prune', model, ...calibration(), '--ratio', '0.3', '--output', at('pruned')]);
    const { fromDense } = pruned.verification as { fromDense: Record<string, number> };
    expect(fromDense.klDivergence).toBeGreaterThan(0);
    expect(await readFile(at('pruned/README.md'), 'utf8')).toContain('KL from the dense model');
    const evaluate = (name: string, ...more: string[]) =>
      resultOf(['evaluate', name, '--text', at('other.txt'), '--window', '16', '--threads', '1', ...more]);
    const plain = await evaluate(at('pruned'));
    expect(plain).not.toHaveProperty('klDivergence');
    const against = await evaluate(at('pruned'), '--against', model);
    expect(against).toMatchObject(plain);
    expect(against.klDivergence).toBeGreaterThan(0.001);
    expect(against.klStandardError).toBeGreaterThan(0);
    expect(against.top1Agreement).toBeLessThan(1);
    const itself = await evaluate(model, '--against', model);
    expect(itself.klDivergence).toBeLessThan(1e-5);
    expect(itself.top1Agreement).toBe(1);

    const compared = await resultOf([
      ...['compare', model, ...calibration(), '--methods', 'saap', '--ratios', '0.3'],
      ...['--text', at('other.txt'), '--window', '16'],
    ]);
    const [dense, row] = compared.rows as Record<string, number>[];
    expect(dense).toMatchObject({ top1Agreement: 1 });
    expect(row?.klDivergence).toBeCloseTo(Number(against.klDivergence), 3);

    const passes = ['--passes', '2', '--objective', 'teacher', '--ratio', '0.3', '--output'];
    const taught = await resultOf(['prune', model, ...calibration(), ...passes, at('taught')]);
    expect(taught.ratio).toBeGreaterThan(0.2);
  });
});
