import type { Tokenizer } from '../checkpoint/tokenizer.ts';
import { throwIfCancelled } from '../errors.ts';
import type { Task } from '../evaluate/tasks.ts';
import { blockLikelihoods } from '../evaluate/tasks-blocks.ts';
import { decoderLikelihoods } from '../evaluate/tasks-decoder.ts';
import { type ContextGroup, type EncodedItem, TaskEncoder } from '../evaluate/tasks-encode.ts';
import type { LikelihoodModel } from '../evaluate/tasks-likelihood.ts';
import { packedTokens } from '../evaluate/tasks-packing.ts';
import { promptFormat } from '../evaluate/tasks-prompts.ts';
import { judgeTask, type TaskResult } from '../evaluate/tasks-result.ts';
import type { LongRunning } from '../progress.ts';
import type { ExportedModel } from './exported-model.ts';
import { OpenModel } from './open-model.ts';

/** Log-likelihoods [choices] of one finished item. */
export interface TaskItemResult {
  readonly item: number;
  readonly logLikelihoods: readonly number[];
}

export interface EvaluateTasksOptions extends LongRunning {
  /** Finished items by task name and item; they are not computed again. */
  readonly finished?: ReadonlyMap<string, ReadonlyMap<number, readonly number[]>>;
  /** Called with each batch of new items, so that they can be kept. */
  readonly onItems?: (task: string, items: readonly TaskItemResult[]) => void | Promise<void>;
}

/**
 * Zero-shot accuracy by the log-likelihood of each choice (docs/method.md section 8), prompts as `promptFormat` says, on block programs or on
 * an exported model. Items go longest first; results do not depend on the order. Progress counts the items of all tasks.
 * Throws CancelledError between batches when the signal fires, and what `TaskEncoder` throws for an item that cannot be encoded.
 */
export async function evaluateTasks(
  model: OpenModel | ExportedModel,
  tasks: readonly Task[],
  options: EvaluateTasksOptions = {},
): Promise<Record<string, TaskResult>> {
  const encoder = new TaskEncoder(...(await encoding(model)));
  const likelihoods = model instanceof OpenModel ? blockLikelihoods(model.programs, model.store) : decoderLikelihoods(model.decoder);
  const total = tasks.reduce((sum, { items }) => sum + items.length, 0);
  const results: Record<string, TaskResult> = {};
  let before = 0;
  for (const task of tasks) {
    const start = before;
    const report = (completed: number) => options.onProgress?.({ stage: 'tasks', completed: start + completed, total, unit: 'items' });
    results[task.name] = judgeTask(task, await likelihoodsOfTask(likelihoods, encoder, task, options, report));
    before += task.items.length;
  }
  return results;
}

async function encoding(model: OpenModel | ExportedModel): Promise<[Tokenizer, number]> {
  return model instanceof OpenModel ? [await model.tokenizer(), model.config.maximumPositions] : [model.tokenizer, model.maximumPositions];
}

async function likelihoodsOfTask(
  model: LikelihoodModel,
  encoder: TaskEncoder,
  task: Task,
  { finished, onItems, signal }: EvaluateTasksOptions,
  report: (completed: number) => void,
): Promise<(readonly number[])[]> {
  const format = promptFormat(task.name);
  const results: (readonly number[] | undefined)[] = task.items.map(({ choices }, item) => {
    const known = finished?.get(task.name)?.get(item);
    return known?.length === choices.length ? known : undefined;
  });
  const open: { readonly item: number; readonly encoded: EncodedItem; readonly tokens: number }[] = [];
  for (const [item, question] of task.items.entries()) {
    if (results[item]) continue;
    const encoded = encoder.encode(format(question), `Task ${task.name}, item ${item}`);
    open.push({ item, encoded, tokens: encoded.groups.reduce((sum, group) => sum + packedTokens(group), 0) });
  }
  open.sort((a, b) => b.tokens - a.tokens || a.item - b.item);
  let done = task.items.length - open.length;
  report(done);
  for (const pass of passes(open, model.passTokens)) {
    throwIfCancelled(signal);
    const groups: ContextGroup[] = pass.flatMap(({ encoded }) => encoded.groups);
    const sums = await model.logLikelihoods(groups, {
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
