import { spawnSync } from 'node:child_process';
import { basename } from 'node:path';
import { embeddedFolder, openNamed } from '../src/checkpoint/local.ts';
import { readBytes } from '../src/cli/input-file.ts';
import { readTask, type Task } from '../src/evaluate/tasks.ts';
import { decoderForModel } from '../src/generate/model-decoder.ts';
import { OpenModel } from '../src/library/open-model.ts';
import { evaluateTasks, type TaskModel } from '../src/library/tasks.ts';
import { createNodeRuntime } from '../src/runtime/node.ts';
import { ratio, spread, time } from './measure.ts';

/**
 * Zero-shot tasks by block programs and by the decoder that is exported, against PyTorch where PYTHON names an interpreter with torch and transformers
 * (bench/tasks_pytorch.py, the same items, threads and machine, in turn; loading is not timed).
 * Options: a model (default stories), task files separated by commas (default the model's own), items of each (default 50), rounds (default 3),
 * sequences that PyTorch computes at once (default 8), threads (default 2).
 */
export async function run([
  name = 'stories',
  list = '',
  limit = '50',
  rounds = '3',
  batch = '8',
  threads = '2',
]: readonly string[]): Promise<void> {
  const paths = list === '' ? [`${embeddedFolder(name)}/story-cloze.jsonl`] : list.split(',');
  const tasks: Task[] = [];
  for (const path of paths) tasks.push(readTask({ name: basename(path), bytes: await readBytes(path) }, Number(limit)));
  using runtime = await createNodeRuntime({ threads: Number(threads) });
  using open = new OpenModel(runtime, await openNamed(name));
  using decoder = await decoderForModel(runtime, open.model);
  const exported = { decoder, tokenizer: () => open.tokenizer(), maximumPositions: open.maximumPositions };
  const contestants: Record<string, (task: Task) => Promise<number>> = {
    'block programs': (task) => ourMilliseconds(open, task),
    decoder: (task) => ourMilliseconds(exported, task),
  };
  const python = process.env.PYTHON;
  console.log(`${name}, first ${limit} items a task, ${runtime.description}`);
  for (const [index, task] of tasks.entries()) {
    const times: Record<string, number[]> = Object.fromEntries(Object.keys(contestants).map((key) => [key, []]));
    const theirs: number[] = [];
    for (let round = -1; round < Number(rounds); round++) {
      for (const [key, measure] of Object.entries(contestants)) {
        const taken = await measure(task);
        if (round >= 0) times[key]?.push(taken);
      }
      if (python && round >= 0)
        theirs.push(pytorchMilliseconds(python, name, paths[index] ?? '', limit, threads, batch));
    }
    for (const [key, values] of Object.entries(times))
      console.log(
        `${task.name}, ${key}: ${spread(values)}${python ? `; PyTorch takes ${ratio(theirs, values)} times as long` : ''}`,
      );
    if (python) console.log(`${task.name}, PyTorch, ${batch} sequences at once: ${spread(theirs)}`);
  }
}

const ourMilliseconds = (model: TaskModel, task: Task) => time(() => evaluateTasks(model, [task]));

/** Milliseconds of the same items by the script, as it measures them itself: without loading the model. */
function pytorchMilliseconds(
  python: string,
  name: string,
  path: string,
  limit: string,
  threads: string,
  batch: string,
): number {
  const args = [
    'bench/tasks_pytorch.py',
    embeddedFolder(name) ?? name,
    path,
    '--limit',
    limit,
    '--threads',
    threads,
    '--batch',
    batch,
  ];
  const { status, stdout, stderr } = spawnSync(python, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`${python} ${args.join(' ')} ended with ${status}: ${stderr.slice(-2000)}`);
  const report = JSON.parse(stdout) as Record<string, { readonly seconds: number }>;
  return 1000 * Object.values(report).reduce((sum, { seconds }) => sum + seconds, 0);
}
