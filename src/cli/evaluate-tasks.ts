import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { diskFolder, diskSource } from '../checkpoint/files/disk.ts';
import { sha256OfSource, sha256OfText } from '../checkpoint/files/sha256.ts';
import { UsageError } from '../errors.ts';
import type { TaskResult } from '../evaluate/tasks-result.ts';
import { openOnDisk } from '../export/disk.ts';
import { type ExportedModel, openExported } from '../library/exported-model.ts';
import type { OpenModel } from '../library/open-model.ts';
import { evaluateTasks } from '../library/tasks.ts';
import { VERSION } from '../library/version.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Console } from './console.ts';
import { computedOn, exportedFolder, openRuntime, withModel } from './models.ts';
import { type CommonOptions, wholeNumber } from './options.ts';
import { readTasks, type TaskFile, taskFolders } from './task-files.ts';
import { TaskStore } from './task-store.ts';
import { checkWritable } from './write-file.ts';

export interface TaskOptions {
  readonly tasks?: string;
  readonly tasksFolder: string;
  readonly limit?: number;
}

/** Options of commands that measure zero-shot accuracy. */
export function addTaskOptions(command: Command): Command {
  return command
    .option(
      '--tasks <list>',
      'zero-shot tasks: names of files in the tasks folder, or paths of .jsonl files with "query", "choices" and "gold"',
    )
    .option(
      '--tasks-folder <dir>',
      'folder of tasks; what ships with the model ("story-cloze" with stories) is found too',
      'tasks',
    )
    .option('--limit <n>', 'first items of each task to use', wholeNumber('--limit', 1));
}

interface EvaluateTasksOptions extends CommonOptions, TaskOptions {
  readonly tasks: string;
  readonly output?: string;
}

/** `evaluate --tasks`: zero-shot accuracy of a model, or of an exported decoder itself. */
export async function evaluateTasksCommand(
  name: string,
  options: EvaluateTasksOptions,
  signal: AbortSignal,
  output: Console,
): Promise<void> {
  const files = await readTasks(options.tasks, taskFolders(name, options.tasksFolder), options.limit);
  if (options.output !== undefined) {
    if (!options.output.endsWith('.json')) throw new UsageError(`--output is "${options.output}"; name a .json file.`);
    await checkWritable(options.output);
  }
  const folder = await exportedFolder(name);
  const run = async (runtime: Runtime, model: OpenModel | ExportedModel, sha256: () => Promise<string>) => {
    const store =
      options.output === undefined ? undefined : await openStore(options.output, name, await sha256(), files);
    if (store && store.items > 0) output.note(`${store.path} has ${store.items} finished items; going on from there.`);
    return { tasks: await measure(model, files, store, signal, output), ...computedOn(runtime) };
  };
  const { tasks, ...where } =
    folder === undefined
      ? await withModel(name, options, signal, (open) => run(open.runtime, open, () => open.model.checkpoint.sha256()))
      : await withExported(folder, options, output.note, (runtime, model) =>
          run(runtime, model, () => exportedHash(folder, model.file)),
        );
  output.result({ model: name, tasks, ...where }, () => [`${name}:`, ...taskLines(tasks)]);
}

async function measure(
  model: OpenModel | ExportedModel,
  files: readonly TaskFile[],
  store: TaskStore | undefined,
  signal: AbortSignal,
  output: Console,
): Promise<Record<string, TaskResult>> {
  try {
    const results = await evaluateTasks(
      model,
      files.map(({ task }) => task),
      {
        signal,
        onProgress: output.onProgress,
        onUnscored: (_, __, reason) => output.note(`${reason} It counts as wrong.`),
        ...(store ? { finished: store.finished, onItems: (task, items) => store.add(task, items) } : {}),
      },
    );
    await store?.write(results);
    return results;
  } catch (error) {
    await store?.write();
    if (store && signal.aborted)
      output.note(`${store.path} keeps ${store.items} finished items; the same command goes on from there.`);
    throw error;
  }
}

async function withExported<Result>(
  folder: string,
  options: CommonOptions,
  onNote: (sentence: string) => void,
  use: (runtime: Runtime, model: ExportedModel) => Promise<Result>,
): Promise<Result> {
  using runtime = await openRuntime(options);
  using model = await openExported(
    runtime,
    await diskFolder(folder),
    (file) => openOnDisk(join(folder, file), runtime.backend),
    onNote,
  );
  return await use(runtime, model);
}

function openStore(path: string, name: string, sha256: string, files: readonly TaskFile[]): Promise<TaskStore> {
  return TaskStore.open(path, {
    model: { name, sha256 },
    tasks: files.map(({ task, sha256: hash }) => ({ name: task.name, sha256: hash })),
    version: VERSION,
  });
}

/** Of an exported decoder: its graph and its weights. */
async function exportedHash(folder: string, file: string): Promise<string> {
  const paths = [file, `${file}_data`].map((name) => join(folder, name)).filter((path) => existsSync(path));
  const hashes: string[] = [];
  for (const path of paths) hashes.push(await sha256OfSource(await diskSource(path)));
  return sha256OfText(hashes.join('\n'));
}

/** One line a task for people. */
function taskLines(tasks: Readonly<Record<string, TaskResult>>): string[] {
  const share = (value: number, error: number) => `${(100 * value).toFixed(1)} ± ${(100 * error).toFixed(1)}%`;
  const width = Math.max(...Object.keys(tasks).map(({ length }) => length));
  return Object.entries(tasks).map(
    ([name, { accuracy, standardError, accuracyNormalized, standardErrorNormalized, items, unscored, chance }]) =>
      `  ${name.padEnd(width)}  accuracy ${share(accuracy, standardError)}, by bytes ${share(accuracyNormalized, standardErrorNormalized)} (${items} items${unscored > 0 ? `, ${unscored} of them not scored and wrong` : ''}, chance ${(100 * chance).toFixed(0)}%)`,
  );
}
