import type { Command } from 'commander';
import { UsageError } from '../errors.ts';
import type { TaskResult } from '../evaluate/tasks-result.ts';
import type { ExportedModel } from '../library/exported-model.ts';
import { OpenModel } from '../library/open-model.ts';
import { evaluateTasks } from '../library/tasks.ts';
import { VERSION } from '../library/version.ts';
import type { Console } from './console.ts';
import { interruptedKeeping } from './interrupted.ts';
import { computedOn, withAnyModel } from './models.ts';
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
  const { tasks, ...where } = await withAnyModel(name, options, signal, output.note, async (model) => {
    const sha256 = () => (model instanceof OpenModel ? model.model.checkpoint.sha256() : model.sha256());
    const store =
      options.output === undefined ? undefined : await openStore(options.output, name, await sha256(), files);
    if (store && store.items > 0) output.note(`${store.path} has ${store.items} finished items; going on from there.`);
    return { tasks: await measure(model, files, store, signal, output), ...computedOn(model.runtime) };
  });
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
    if (store && store.items > 0 && signal.aborted)
      throw interruptedKeeping(`${store.path} keeps ${store.items} finished items`);
    throw error;
  }
}

function openStore(path: string, name: string, sha256: string, files: readonly TaskFile[]): Promise<TaskStore> {
  return TaskStore.open(path, {
    model: { name, sha256 },
    tasks: files.map(({ task, sha256: hash }) => ({ name: task.name, sha256: hash })),
    version: VERSION,
  });
}

/** One line a task for people. */
function taskLines(tasks: Readonly<Record<string, TaskResult>>): string[] {
  const share = (value: number, error: number) => `${(100 * value).toFixed(1)} ± ${(100 * error).toFixed(1)}%`;
  const width = Math.max(...Object.keys(tasks).map(({ length }) => length));
  return Object.entries(tasks).map(
    ([
      name,
      {
        accuracy,
        standardError,
        accuracyNormalized,
        standardErrorNormalized,
        margin,
        marginStandardError,
        items,
        unscored,
        chance,
      },
    ]) =>
      `  ${name.padEnd(width)}  accuracy ${share(accuracy, standardError)}, by bytes ${share(accuracyNormalized, standardErrorNormalized)}, margin ${margin.toFixed(3)} ± ${marginStandardError.toFixed(3)} nats (${items} items${unscored > 0 ? `, ${unscored} of them not scored and wrong` : ''}, chance ${(100 * chance).toFixed(0)}%)`,
  );
}
