import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tryDiskLock } from '../checkpoint/store/disk-lock.ts';
import { parsePlan } from '../plan/plan-file.ts';
import type { Recipe } from '../plan/recipe.ts';
import { espalier, oneDocument, resultOf, runInside } from './testing/run.ts';
import { tinyText, writeTinyModel } from './testing/tiny-model.ts';

/** What people expect of any command line: near misses are named, options come from files, failures are JSON for scripts, and nobody overwrites another. */
let folder: string;
let model: string;
let scores: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-conveniences-'));
  model = await writeTinyModel(join(folder, 'tiny'));
  await writeFile(inFolder('text.txt'), tinyText(600));
  scores = inFolder('scores.safetensors');
  await resultOf(['score', model, ...calibration(), '--output', scores]);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const inFolder = (name: string) => join(folder, name);
const calibration = () => ['--calibration', inFolder('text.txt'), '--windows', '4', '--length', '16', '--threads', '1'];
const config = async (value: unknown) => {
  await writeFile(inFolder('config.json'), JSON.stringify(value));
  return inFolder('config.json');
};

/** The recipe of the plan that the options make. */
async function planned(...options: string[]): Promise<Recipe> {
  const output = inFolder('plan.json');
  await resultOf(['plan', scores, ...options, '--output', output]);
  return parsePlan(JSON.parse(await readFile(output, 'utf8'))).recipe;
}

async function refused(...args: string[]): Promise<string> {
  const { code, stderr } = await runInside(args);
  expect(code).toBe(2);
  return stderr;
}

describe('near misses', () => {
  it.each([
    { args: 'prnue stories', near: 'prune' },
    { args: 'scroe stories', near: 'score' },
    { args: 'generate stories --promt x', near: '--prompt' },
    { args: 'plan scores --ration 0.2 --output x', near: '--ratio' },
  ])('of "$args" are named', async ({ args, near }) => {
    expect(await refused(...args.split(' '))).toContain(`(Did you mean ${near}?)`);
  });
});

describe('--config', () => {
  it('takes the recipe of a plan, of an export, or alone', async () => {
    const recipe = await planned(
      '--ratio',
      '0.3',
      '--metric',
      'magnitude-l2',
      '--search',
      'uniform',
      '--round-to',
      '1',
    );
    expect(recipe).toMatchObject({ metric: 'magnitude-l2', search: 'uniform', roundTo: 1, target: { value: 0.3 } });
    for (const form of [recipe, { format: 'espalier-plan/1', recipe, layers: [] }])
      expect(await planned('--config', await config(form))).toEqual(recipe);
    const output = inFolder('by-recipe');
    await resultOf(['prune', model, ...calibration(), '--config', await config(recipe), '--output', output]);
    expect(await planned('--config', join(output, 'espalier.json'))).toMatchObject({
      metric: 'magnitude-l2',
      target: { kind: 'ratio', value: 0.3 },
    });
  });

  it('takes options by their names, in either spelling, and what a search found', async () => {
    const options = { ratio: 0.2, 'round-to': 2, fusionScope: 'layer', balance: { attention: 2 }, protect: [0] };
    expect(await planned('--config', await config(options))).toMatchObject({
      target: { kind: 'ratio', value: 0.2 },
      roundTo: 2,
      fusionScope: 'layer',
      balance: { attention: 2 },
      protect: [0],
    });
  });

  it('gives way to the command line, wherever it stands there', async () => {
    const file = await config({ target: { kind: 'memory', value: 9e9, context: 64 }, metric: 'fisher', seed: 3 });
    const given = ['--ratio', '0.4', '--metric', 'magnitude-l1'];
    for (const options of [
      [...given, '--config', file],
      ['--config', file, ...given],
    ])
      expect(await planned(...options)).toMatchObject({
        target: { kind: 'ratio', value: 0.4 },
        metric: 'magnitude-l1',
        seed: 3,
      });
  });

  it('may say what is required, and is passed over where a recipe says what the command has no use for', async () => {
    await config({ output: inFolder('named-there.json'), ratio: 0.2 });
    const run = await runInside(['plan', scores, '--config', inFolder('config.json')]);
    expect(run.code, run.stderr).toBe(0);
    expect(await readdir(folder)).toContain('named-there.json');
    const recipe = await planned('--ratio', '0.3');
    const inspected = await runInside(['inspect', model, '--config', await config(recipe)]);
    expect(inspected.code, inspected.stderr).toBe(0);
  });

  it.each([
    { what: { metrik: 'fisher' }, says: ['config.json has "metrik", which is no option of plan', 'metric'] },
    { what: { ratio: 3 }, says: ['config.json: --ratio is "3"'] },
    { what: { quiet: 'yes' }, says: ['config.json: quiet is "yes"; it must be true or false'] },
    { what: { metric: {} }, says: ['config.json: metric is {}'] },
  ])('refuses $what, naming file, field and value', async ({ what, says }) => {
    const message = await refused('plan', scores, '--output', inFolder('x.json'), '--config', await config(what));
    for (const part of says) expect(message).toContain(part);
  });

  it('refuses a file that is not there, or no JSON object', async () => {
    const plan = ['plan', scores, '--output', inFolder('x.json'), '--config'];
    expect((await runInside([...plan, inFolder('nowhere.json')])).stderr).toContain('There is no file');
    expect((await runInside([...plan, inFolder('text.txt')])).stderr).toContain('is not JSON');
    expect((await runInside([...plan, await config([1])])).stderr).toContain('is no JSON object');
  });
});

describe('--method', () => {
  it('stands for metric, search and repair in prune, and for the first two in plan', async () => {
    expect(await planned('--ratio', '0.3', '--method', 'magnitude-l2')).toMatchObject({ metric: 'magnitude-l2' });
    const output = inFolder('by-method');
    const how = ['--ratio', '0.3', '--method', 'flap+bias', '--output', output];
    await resultOf(['prune', model, ...calibration(), ...how]);
    const { recipe } = JSON.parse(await readFile(join(output, 'espalier.json'), 'utf8')) as { recipe: Recipe };
    expect(recipe).toMatchObject({ metric: 'flap-standardised', compensate: 'bias' });
  });

  it.each([
    { args: '--method sap', says: '"sap" is no method' },
    { args: '--method saap --metric fisher', says: 'leave out --metric fisher' },
    { args: '--method wanda+bias --compensate least-squares', says: 'leave out --compensate least-squares' },
    { args: '--method saap+lora', says: '"espalier recover" does' },
    { args: '--method saap --plan plan.json', says: 'leave out --method' },
    { args: '--method saap-passes', says: '--passes with their number' },
  ])('refuses "$args"', async ({ args, says }) => {
    const words = ['prune', model, '--ratio', '0.3', '--output', inFolder('x'), ...args.split(' ')];
    expect(await refused(...words)).toContain(says);
  });
});

describe('failures under --json', () => {
  it('are one JSON document with the code of the error, beside the sentence for people', async () => {
    const run = await runInside(['inspect', inFolder('nowhere'), '--json']);
    expect(run.code).toBe(1);
    const { error } = oneDocument(run.stdout) as { error: { code: string; message: string; exit: number } };
    expect(error).toMatchObject({ code: 'missing', exit: 1 });
    expect(error.message).toContain('There is no model');
    expect(run.stderr).toContain(error.message);
  });

  it.each([
    { args: ['plan', 'x', '--ratio', '7', '--output', 'y'], says: '--ratio is "7"' },
    { args: ['polish', 'x'], says: "unknown command 'polish'" },
    { args: ['plan', 'x', '--ration', '0.2', '--output', 'y'], says: 'Did you mean --ratio?' },
  ])('tell a wrong usage: $args', async ({ args, says }) => {
    const run = await runInside([...args, '--json']);
    expect(run.code).toBe(2);
    const { error } = oneDocument(run.stdout) as { error: { code: string; message: string } };
    expect(error.code).toBe('usage');
    expect(error.message).toContain(says);
  });
});

describe('two commands', () => {
  it('do not write one output, and a killed one keeps nobody out', async () => {
    const output = inFolder('locked.json');
    const command = ['plan', scores, '--ratio', '0.2', '--output', output];
    const held = await tryDiskLock(inFolder('.locked.json.lock'));
    const run = await runInside([...command, '--json']);
    expect(run.code).toBe(1);
    expect(oneDocument(run.stdout)).toMatchObject({ error: { code: 'busy' } });
    expect(run.stderr).toContain(`${output} is being written by another espalier command`);
    expect(await readdir(folder)).not.toContain('locked.json');
    await held?.[Symbol.asyncDispose]();
    await writeFile(inFolder('.locked.json.lock'), JSON.stringify({ host: 'elsewhere', process: 1, id: 'old' }));
    await utimes(inFolder('.locked.json.lock'), 0, 0);
    expect((await runInside(command)).code).toBe(0);
    expect((await readdir(folder)).filter((name) => name.includes('.lock'))).toEqual([]);
  });

  it('that run at once write one after the other or not at all', async () => {
    const output = inFolder('raced');
    const command = ['prune', model, ...calibration(), '--ratio', '0.3', '--output', output, '--json'];
    const runs = await Promise.all([espalier(command), espalier(command)]);
    for (const { code, stdout } of runs) {
      if (code === 0) expect(oneDocument(stdout)).toMatchObject({ output });
      else expect(oneDocument(stdout)).toMatchObject({ error: { code: 'busy' } });
    }
    expect(runs.some(({ code }) => code === 0)).toBe(true);
    expect((await readdir(folder)).filter((name) => /lock$|partial/.test(name))).toEqual([]);
  });
});
