import { MismatchError, throwIfCancelled } from '../errors.ts';
import type { Task } from '../evaluate/tasks.ts';
import { blockLikelihoods } from '../evaluate/tasks-blocks.ts';
import { decoderLikelihoods } from '../evaluate/tasks-decoder.ts';
import { type ContextGroup, type EncodedItem, TaskEncoder } from '../evaluate/tasks-encode.ts';
import type { LikelihoodModel } from '../evaluate/tasks-likelihood.ts';
import { packedTokens } from '../evaluate/tasks-packing.ts';
import { type Prompt, promptFormat } from '../evaluate/tasks-prompts.ts';
import { judgeTask, type TaskResult } from '../evaluate/tasks-result.ts';
import type { LongRunning, Progress } from '../progress.ts';
import type { OpenDecoder } from './exported-model.ts';
import { OpenModel } from './open-model.ts';

/** What tasks are measured on: block programs, or a decoder with its tokenizer. */
export type TaskModel = OpenModel | OpenDecoder;

/** Log-likelihoods [choices] of one finished item; none where it cannot be scored. */
export interface TaskItemResult {
  /** Its number in the file, from 0. */
  readonly item: number;
  /** Of each choice, in nats. */
  readonly logLikelihoods: readonly number[];
}

/** How tasks are measured. */
export interface EvaluateTasksOptions extends LongRunning {
  /** Finished items by task name and item; they are not computed again. */
  readonly finished?: ReadonlyMap<string, ReadonlyMap<number, readonly number[]>>;
  /** At most so many tokens between two batches of items; default: what is quickest. */
  readonly passTokens?: number | undefined;
  /** Called with each batch of new items, so that they can be kept. */
  readonly onItems?: (task: string, items: readonly TaskItemResult[]) => void | Promise<void>;
  /** Called for each item that cannot be scored, with a sentence that says why; it counts as wrong. */
  readonly onUnscored?: (task: string, item: number, reason: string) => void;
}

/**
 * Zero-shot accuracy by the log-likelihood of each choice (docs/method.md section 8), prompts as `promptFormat` says, on block programs or on
 * an exported model. Items go longest first; results do not depend on the order. Progress counts the items of all tasks.
 * An item that cannot be scored is told by `onUnscored` and counts as wrong. Throws CancelledError between batches when the signal fires.
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

/** Log-likelihoods [items][choices] of one task: what `evaluateTasks` judges; none for an item that cannot be scored. Progress counts its items; throws the same. */
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
  const open = await encodeOpen(model, task, results, options.onUnscored);
  const isOpen = new Set(open.map(({ item }) => item));
  const unscored = task.items.flatMap((_, item) => (results[item] || isOpen.has(item) ? [] : [item]));
  if (unscored.length > 0)
    await onItems?.(
      task.name,
      unscored.map((item) => ({ item, logLikelihoods: [] })),
    );
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

/** Token ids of the items without a result that can be scored, longest first. */
async function encodeOpen(
  model: TaskModel,
  task: Task,
  results: readonly unknown[],
  onUnscored: EvaluateTasksOptions['onUnscored'],
): Promise<OpenItem[]> {
  const encoder = new TaskEncoder(await model.tokenizer(), model.maximumPositions);
  const format = promptFormat(task.name);
  const open = task.items.flatMap((question, item) => {
    if (results[item]) return [];
    const encoded = encodeOrTell(encoder, format(question), `Task ${task.name}, item ${item}`, (reason) =>
      onUnscored?.(task.name, item, reason),
    );
    if (!encoded) return [];
    return [{ item, encoded, tokens: encoded.groups.reduce((sum, group) => sum + packedTokens(group), 0) }];
  });
  return open.sort((a, b) => b.tokens - a.tokens || a.item - b.item);
}

/** The token ids of an item; undefined, and told, where it cannot be scored. */
function encodeOrTell(
  encoder: TaskEncoder,
  prompt: Prompt,
  what: string,
  tell: (reason: string) => void,
): EncodedItem | undefined {
  try {
    return encoder.encode(prompt, what);
  } catch (error) {
    if (!(error instanceof MismatchError)) throw error;
    tell(error.message);
    return undefined;
  }
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
