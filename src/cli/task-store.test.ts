import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FileFormatError, MismatchError, MissingError, UsageError } from '../errors.ts';
import { readTasks, taskFolders } from './task-files.ts';
import { TaskStore } from './task-store.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-tasks-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('TaskStore', () => {
  const setting = { model: { name: 'stories', sha256: 'aa' }, tasks: [{ name: 'quiz', sha256: 'bb' }], version: '1' };

  test('keeps items exactly, and a later run takes them up', async () => {
    const path = join(folder, 'deep', 'results.json');
    const store = await TaskStore.open(path, setting);
    const values = [-1.2345678901234567, Number.NEGATIVE_INFINITY];
    await store.add('quiz', [
      { item: 7, logLikelihoods: values },
      { item: 2, logLikelihoods: [-3, -4] },
    ]);
    await store.write();
    expect(await readdir(join(folder, 'deep'))).toEqual(['results.json']);
    const again = await TaskStore.open(path, setting);
    expect(again.items).toBe(2);
    expect(again.finished.get('quiz')?.get(7)).toEqual([values[0], Number.NaN]);
    expect(again.finished.get('quiz')?.get(2)).toEqual([-3, -4]);
    await again.write({ quiz: { accuracy: 1 } });
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({
      results: { quiz: { accuracy: 1 } },
      logLikelihoods: { quiz: { 2: [-3, -4] } },
    });
  });

  test.each([
    [
      'another setting',
      JSON.stringify({ format: 'espalier-task-results/1', setting: { ...setting, version: '2' }, logLikelihoods: {} }),
      MismatchError,
    ],
    ['another format', '{"format":"x"}', FileFormatError],
    ['text', 'hello', FileFormatError],
    [
      'broken values',
      JSON.stringify({ format: 'espalier-task-results/1', setting, logLikelihoods: { quiz: { 0: ['x'] } } }),
      FileFormatError,
    ],
  ])('refuses a file of %s', async (_, text, error) => {
    const path = join(folder, 'results.json');
    await writeFile(path, text);
    await expect(TaskStore.open(path, setting)).rejects.toThrow(error);
  });
});

describe('readTasks', () => {
  const line = JSON.stringify({ query: 'Q', choices: ['a', 'b'], gold: 1 });
  test('finds tasks by name in the folder and files of one’s own by path', async () => {
    await writeFile(join(folder, 'quiz.jsonl'), `${line}\n${line}\n`);
    await writeFile(join(folder, 'mine.jsonl'), line);
    const found = await readTasks(`quiz, ${join(folder, 'mine.jsonl')}`, [folder], 1);
    expect(found.map(({ task }) => [task.name, task.items.length])).toEqual([
      ['quiz', 1],
      ['mine', 1],
    ]);
    await expect(readTasks('quiz,quiz', [folder], undefined)).rejects.toThrow(UsageError);
    await expect(readTasks('quiz,other', [folder], undefined)).rejects.toThrow(MissingError);
    await expect(readTasks('quiz,other', [folder], undefined)).rejects.toThrow(
      /no task "other": the folder .* has mine, quiz\. Give --tasks-folder/,
    );
    await expect(readTasks('quiz', [join(folder, 'none')], undefined)).rejects.toThrow(/has no tasks/);
  });
  test('finds the task that ships with the embedded model, after those of the folder', async () => {
    const [shipped] = await readTasks('story-cloze', taskFolders('stories', folder), undefined);
    expect(shipped?.task.items.length).toBeGreaterThan(1);
    await writeFile(join(folder, 'story-cloze.jsonl'), line);
    const [own] = await readTasks('story-cloze', taskFolders('stories', folder), undefined);
    expect(own?.task.items).toHaveLength(1);
    expect(taskFolders('other', folder)).toEqual([folder]);
  });
});
