import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { sha256OfBytes } from '../checkpoint/files/sha256.ts';
import { MissingError, UsageError } from '../errors.ts';
import { readTask, type Task } from '../evaluate/tasks.ts';
import { embeddedFolder } from '../library/disk.ts';
import { readBytes } from './input-file.ts';

/** A task with what a record of results says about it. */
export interface TaskFile {
  readonly task: Task;
  readonly sha256: string;
}

const JSON_LINES = /\.(jsonl|ndjson)$/i;

/** Where a model's tasks are looked for: the tasks folder, then what ships with an embedded model. */
export function taskFolders(model: string, folder: string): readonly string[] {
  const shipped = embeddedFolder(model);
  return shipped === undefined ? [folder] : [folder, shipped];
}

/**
 * Tasks of a comma-separated list: names of files in `folders`, the first that has one, or paths of JSON lines of one's own. Throws MissingError naming
 * the tasks that the folders have, UsageError when two have one name, and what `readTask` throws.
 */
export async function readTasks(
  list: string,
  folders: readonly string[],
  limit: number | undefined,
): Promise<TaskFile[]> {
  const files: TaskFile[] = [];
  for (const name of list.split(',').map((part) => part.trim())) {
    if (name === '') throw new UsageError(`--tasks is "${list}"; give names of tasks, separated by commas.`);
    const path = (JSON_LINES.test(name) ? [name] : folders.map((folder) => join(folder, `${name}.jsonl`))).find(
      (candidate) => existsSync(candidate),
    );
    if (path === undefined) throw missing(name, folders);
    const bytes = await readBytes(path);
    const task = readTask({ name: basename(path), bytes }, limit);
    if (files.some((file) => file.task.name === task.name))
      throw new UsageError(`--tasks names "${task.name}" twice; results are told apart by name.`);
    files.push({ task, sha256: await sha256OfBytes(bytes) });
  }
  return files;
}

function missing(name: string, folders: readonly string[]): MissingError {
  if (JSON_LINES.test(name)) return new MissingError(`There is no tasks file ${name}.`);
  const found = folders.map((folder) => {
    const known = existsSync(folder) ? readdirSync(folder).filter((file) => JSON_LINES.test(file)) : [];
    return `the folder ${folder} ${known.length === 0 ? 'has no tasks' : `has ${known.map((file) => file.replace(JSON_LINES, '')).join(', ')}`}`;
  });
  return new MissingError(
    `There is no task "${name}": ${found.join(', ')}. Give --tasks-folder DIR, or the path of a .jsonl file with "query", "choices" and "gold" in each line.`,
  );
}
