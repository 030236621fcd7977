import { readFile } from 'node:fs/promises';
import { beforeAll, expect, test } from 'vitest';
import { diskFolder } from '../checkpoint/files/disk.ts';
import { openCheckpoint } from '../checkpoint/folder.ts';
import { readTask } from '../evaluate/tasks.ts';
import { tokenWindows } from '../evaluate/token-windows.ts';
import { decodeScores } from '../importance/files/score-file.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import { compare } from './comparison/compare.ts';
import { tasksMarkdown } from './comparison/comparison-pairs.ts';
import type { ComparisonRow } from './comparison/types.ts';
import { OpenModel } from './open-model.ts';

const FOLDER = 'public/models/stories';
const METHODS = ['saap', 'llm-pruner-element-first', 'magnitude-l2', 'random'];
const ITEMS = 12;

/** The paper's table of zero-shot accuracies in small: methods at one size, on the embedded model and the task that ships with it. */
let rows: ComparisonRow[];
beforeAll(async () => {
  using runtime = await createNodeRuntime({ threads: 2 });
  using open = new OpenModel(runtime, await openCheckpoint(await diskFolder(FOLDER), { name: 'stories' }));
  const task = readTask(
    { name: 'story-cloze.jsonl', bytes: new Uint8Array(await readFile(`${FOLDER}/story-cloze.jsonl`)) },
    ITEMS,
  );
  const scores = await decodeScores(new Uint8Array(await readFile(`${FOLDER}/scores.safetensors`)));
  const ids = (await open.tokenizer()).encode(await readFile(`${FOLDER}/evaluation.txt`, 'utf8'), {
    addSpecialTokens: false,
  });
  rows = await compare(open, {
    ...{ methods: METHODS, ratios: [0.5], seeds: [0], tasks: [task] },
    texts: [{ name: 'evaluation.txt', windows: tokenWindows(ids, { length: 64 }).slice(0, 6) }],
    calibrate: async (seed) => ({ seed, scores, compensationWindows: [] }),
  });
});

test('every method removes as much, and the dense model is far better than guessing', () => {
  expect(rows.map(({ method }) => method)).toEqual(['dense', ...METHODS]);
  const [dense, ...pruned] = rows;
  expect(dense?.tasks?.['story-cloze']?.accuracy).toBeGreaterThan(0.5);
  const removed = pruned.map(({ removedParameters }) => removedParameters);
  expect(Math.max(...removed) - Math.min(...removed)).toBeLessThan(0.01 * Math.max(...removed));
  for (const { perplexity } of pruned) expect(perplexity).toBeGreaterThan(dense?.perplexity ?? Number.NaN);
});

test('the method loses less than random groups do, and no more answers than are asked are counted', () => {
  const of = (name: string) => rows.find(({ method }) => method === name);
  expect(of('saap')?.perplexity).toBeLessThan(of('random')?.perplexity ?? 0);
  for (const { tasks } of rows) {
    const { correct = '', accuracy } = tasks?.['story-cloze'] ?? {};
    expect(correct).toHaveLength(ITEMS);
    expect(accuracy).toBeCloseTo([...correct].filter((answer) => answer === '1').length / ITEMS);
  }
});

test('the table has a line for every method and the best one’s lead over each', () => {
  const lines = tasksMarkdown(rows).trim().split('\n');
  expect(lines.filter((line) => line.includes('story-cloze'))).toHaveLength(1);
  for (const method of METHODS)
    expect(lines.filter((line) => line.includes(`| ${method} |`)).length).toBeGreaterThanOrEqual(1);
});
