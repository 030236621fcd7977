import { throwIfCancelled } from '../errors.ts';
import type { Task } from '../evaluate/tasks.ts';
import { blockLikelihoods } from '../evaluate/tasks-blocks.ts';
import { decoderLikelihoods } from '../evaluate/tasks-decoder.ts';
import { type ContextGroup, type EncodedItem, TaskEncoder } from '../evaluate/tasks-encode.ts';
import type { LikelihoodModel } from '../evaluate/tasks-likelihood.ts';
import { packedTokens } from '../evaluate/tasks-packing.ts';
import { promptFormat } from '../evaluate/tasks-prompts.ts';
import { judgeTask, type TaskResult } from '../evaluate/tasks-result.ts';
import type { LongRunning, Progress } from '../progress.ts';
import type { ExportedModel } from './exported-model.ts';
import { OpenModel } from './open-model.ts';

/** What tasks are measured on: block programs, or a decoder with its tokenizer. */
export type TaskModel = OpenModel | Pick<ExportedModel, 'decoder' | 'tokenizer' | 'maximumPositions'>;

/** Log-likelihoods [choices] of one finished item. */
export interface TaskItemResult {
  readonly item: number;
  readonly logLikelihoods: readonly number[];
}

export interface EvaluateTasksOptions extends LongRunning {
  /** Finished items by task name and item; they are not computed again. */
  readonly finished?: ReadonlyMap<string, ReadonlyMap<number, readonly number[]>>;
  /** At most so many tokens between two batches of items; default: what is quickest. */
  readonly passTokens?: number | undefined;
  /** Called with each batch of new items, so that they can be kept. */
  readonly onItems?: (task: string, items: readonly TaskItemResult[]) => void | Promise<void>;
}

/**
 * Zero-shot accuracy by the log-likelihood of each choice (docs/method.md section 8), prompts as `promptFormat` says, on block programs or on
 * an exported model. Items go longest first; results do not depend on the order. Progress counts the items of all tasks.
 * Throws CancelledError between batches when the signal fires, and what `TaskEncoder` throws for an item that cannot be encoded.
 */
export async function evaluateTasks(
  model: TaskModel,
  tasks: readonly Task[],
  options: EvaluateTasksOptions = {},
): Promise<Record<string, TaskResult>> {
  const total = tasks.reduce((sum, { items }) => sum + items.length, 0);
  const results: Record<string, TaskResult> = {};
  let before = 0;
  for (const task of tasks) {
    const start = before;
    const onProgress = ({ completed }: Progress) =>
      options.onProgress?.({ stage: 'tasks', completed: start + completed, total, unit: 'items' });
    results[task.name] = judgeTask(task, await taskLogLikelihoods(model, task, { ...options, onProgress }));
    before += task.items.length;
  }
  return results;
}

/** Log-likelihoods [items][choices] of one task: what `evaluateTasks` judges. Progress counts its items; throws the same. */
export async function taskLogLikelihoods(
  model: TaskModel,
  task: Task,
  options: EvaluateTasksOptions = {},
): Promise<(readonly number[])[]> {
  const { finished, onItems, passTokens = Number.POSITIVE_INFINITY, signal, onProgress } = options;
  const results: (readonly number[] | undefined)[] = task.items.map(({ choices }, item) => {
    const known = finished?.get(task.name)?.get(item);
    return known?.length === choices.length ? known : undefined;
  });
  const open = await encodeOpen(model, task, results);
  const likelihoods = likelihoodsOf(model);
  let done = task.items.length - open.length;
  const report = (completed: number) =>
    onProgress?.({ stage: 'tasks', completed, total: task.items.length, unit: 'items' });
  report(done);
  for (const pass of passes(open, Math.min(passTokens, likelihoods.passTokens))) {
    throwIfCancelled(signal);
    const groups: ContextGroup[] = pass.flatMap(({ encoded }) => encoded.groups);
    const sums = await likelihoods.logLikelihoods(groups, {
      signal,
      onProgress: ({ completed, total }) => report(done + Math.floor(((pass.length - 1) * completed) / total)),
    });
    let first = 0;
    const found = pass.map(({ item, encoded }) => {
      const logLikelihoods = encoded.places.map(({ group, index }) => sums[first + group]?.[index] ?? Number.NaN);
      first += encoded.groups.length;
      results[item] = logLikelihoods;
      return { item, logLikelihoods };
    });
    await onItems?.(task.name, found);
    done += pass.length;
    report(done);
  }
  return results.map((values) => values ?? []);
}

function likelihoodsOf(model: TaskModel): LikelihoodModel {
  return model instanceof OpenModel ? blockLikelihoods(model.programs, model.store) : decoderLikelihoods(model.decoder);
}

interface OpenItem {
  readonly item: number;
  readonly encoded: EncodedItem;
  readonly tokens: number;
}

/** Token ids of the items without a result, longest first. */
async function encodeOpen(model: TaskModel, task: Task, results: readonly unknown[]): Promise<OpenItem[]> {
  const encoder =
    model instanceof OpenModel
      ? new TaskEncoder(await model.tokenizer(), model.config.maximumPositions)
      : new TaskEncoder(model.tokenizer, model.maximumPositions);
  const format = promptFormat(task.name);
  const open = task.items.flatMap((question, item) => {
    if (results[item]) return [];
    const encoded = encoder.encode(format(question), `Task ${task.name}, item ${item}`);
    return [{ item, encoded, tokens: encoded.groups.reduce((sum, group) => sum + packedTokens(group), 0) }];
  });
  return open.sort((a, b) => b.tokens - a.tokens || a.item - b.item);
}

/** Consecutive items of at most so many tokens together, at least one. */
function* passes<Item extends { readonly tokens: number }>(items: readonly Item[], tokens: number): Generator<Item[]> {
  let pass: Item[] = [];
  let sum = 0;
  for (const item of items) {
    if (pass.length > 0 && sum + item.tokens > tokens) {
      yield pass;
      pass = [];
      sum = 0;
    }
    pass.push(item);
    sum += item.tokens;
  }
  if (pass.length > 0) yield pass;
}
