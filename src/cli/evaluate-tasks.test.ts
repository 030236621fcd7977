import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seededRandom } from '../random.ts';
import { resultOf, runInside } from './testing/run.ts';
import { tinyText, writeTinyModel } from './testing/tiny-model.ts';

/** More tokens than are scored at once. */
const ITEMS = 160;

let folder: string;
let model: string;
let exported: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-evaluate-tasks-'));
  model = await writeTinyModel(join(folder, 'tiny'));
  exported = join(folder, 'pruned');
  await writeFile(join(folder, 'text.txt'), tinyText(4000));
  const random = seededRandom(4);
  const word = (letters: number) =>
    Array.from({ length: letters }, () => 'abcdefghij klmnopqrst'[Math.floor(21 * random())]).join('');
  const items = Array.from({ length: ITEMS }, (_, item) => ({
    query: `q${word(25)}.`,
    choices: [`a${word(9)}`, `b${word(14)}`, `c${word(4)}`],
    gold: item % 3,
  }));
  await writeFile(join(folder, 'quiz.jsonl'), items.map((item) => JSON.stringify(item)).join('\n'));
  const calibration = ['--calibration', join(folder, 'text.txt'), '--windows', '8', '--length', '16'];
  const made = await runInside([
    'prune',
    model,
    '--ratio',
    '0.2',
    ...calibration,
    '--threads',
    '1',
    '--output',
    exported,
  ]);
  expect(made.code, made.stderr).toBe(0);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const evaluation = (name: string, ...more: readonly string[]) => [
  'evaluate',
  name,
  '--tasks',
  'quiz',
  '--tasks-folder',
  folder,
  '--threads',
  '1',
  ...more,
];

test('zero-shot accuracy of a model and of an exported decoder has the documented keys', async () => {
  for (const name of [model, exported]) {
    const result = await resultOf(evaluation(name, '--limit', '25'));
    const { quiz } = result.tasks as Record<string, Record<string, number>>;
    expect(result.model).toBe(name);
    expect(quiz).toMatchObject({ items: 25, chance: expect.closeTo(1 / 3) });
    for (const key of ['accuracy', 'accuracyNormalized', 'standardError'])
      expect(quiz?.[key]).toSatisfy((value) => Number(value) >= 0 && Number(value) <= 1);
    const { accuracy = 0 } = quiz ?? {};
    expect(quiz?.standardError).toBeCloseTo(Math.sqrt((accuracy * (1 - accuracy)) / 24));
  }
});

test.each(['model', 'exported decoder'])(
  'an interrupted run on a %s keeps its items, goes on, and ends as an uninterrupted one',
  async (kind) => {
    const name = kind === 'model' ? model : exported;
    const whole = await resultOf(evaluation(name));
    const output = join(folder, `${kind}.json`);
    let pressed = false;
    const stopped = await runInside(evaluation(name, '--output', output), (line) => {
      const done = Number(/^tasks (\d+)\//.exec(line)?.[1] ?? 0);
      if (pressed || done < 130) return;
      pressed = true;
      process.emit('SIGINT');
    });
    expect(stopped.code).toBe(130);
    expect(Number(/keeps (\d+) finished items/.exec(stopped.stderr)?.[1])).toBeGreaterThan(10);
    const resumed = await resultOf(evaluation(name, '--output', output));
    expect(resumed).toEqual(whole);
    const { logLikelihoods, results } = JSON.parse(await readFile(output, 'utf8')) as Record<
      string,
      Record<string, object>
    >;
    expect(Object.keys(logLikelihoods?.quiz ?? {})).toHaveLength(ITEMS);
    expect(results).toEqual(whole.tasks);
  },
);

test('wrong use is told: a text and tasks at once, an unknown task, an output that is no .json file', async () => {
  expect(await runInside(evaluation(model, '--text', join(folder, 'text.txt')))).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('either --tasks or a text'),
  });
  const unknown = await runInside(['evaluate', model, '--tasks', 'other', '--tasks-folder', folder]);
  expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('has quiz. Give --tasks-folder') });
  expect((await runInside(evaluation(model, '--output', join(folder, 'x.txt')))).code).toBe(2);
});

test('compare measures methods on tasks too, with pairs on the same items', async () => {
  const text = join(folder, 'text.txt');
  const args = [
    'compare',
    model,
    '--methods',
    'saap,random',
    '--ratios',
    '0.3',
    '--calibration',
    text,
    '--windows',
    '8',
    '--length',
    '16',
    '--window',
    '16',
  ];
  const { rows, paired } = await resultOf([
    ...args,
    '--text',
    text,
    '--max-tokens',
    '160',
    '--tasks',
    'quiz',
    '--tasks-folder',
    folder,
    '--threads',
    '1',
  ]);
  const found = rows as {
    method: string;
    tasks: Record<string, { accuracy: number; items: number; correct: string }>;
  }[];
  expect(found.map(({ method }) => method)).toEqual(['dense', 'saap', 'random']);
  for (const { tasks } of found)
    expect(tasks.quiz?.accuracy).toBeCloseTo(
      [...(tasks.quiz?.correct ?? '')].filter((digit) => digit === '1').length / ITEMS,
    );
  const pairs = paired as { first: string; second: string; accuracy: { difference: number } }[];
  expect(pairs.map(({ first, second }) => `${first} ${second}`)).toEqual(['saap random', 'saap dense', 'random dense']);
  expect(pairs[0]?.accuracy.difference).toBeCloseTo(
    (found[1]?.tasks.quiz?.accuracy ?? 0) - (found[2]?.tasks.quiz?.accuracy ?? 0),
  );
});
