import type { Task } from './tasks.ts';
import { promptFormat } from './tasks-prompts.ts';

/** Zero-shot result of one task. Accuracies are shares, 0 to 1. */
export interface TaskResult {
  /** Share of items whose right choice has the largest log-likelihood. */
  readonly accuracy: number;
  /** The same with log-likelihoods divided by the choice's UTF-8 bytes. */
  readonly accuracyNormalized: number;
  /** Of the accuracy: sample standard deviation over items / sqrt(items). */
  readonly standardError: number;
  /** Of `accuracyNormalized`. */
  readonly standardErrorNormalized: number;
  /** Items of the task. */
  readonly items: number;
  /** Of the items, those that could not be scored; each counts as wrong. */
  readonly unscored: number;
  /** Accuracy of guessing: mean of 1 / choices. */
  readonly chance: number;
  /** [items]; the choice taken, by log-likelihood and by log-likelihood per byte. The first of equal ones; -1 where the model gives no numbers. */
  readonly predictions: readonly number[];
  /** Choice of each item by log-likelihood per byte. */
  readonly predictionsNormalized: readonly number[];
  /** Mean over items of `margins`, and its standard error; far less noisy than an accuracy. */
  readonly margin: number;
  /** Of `margin`. */
  readonly marginStandardError: number;
  /** [items]; log-likelihood of the right choice minus that of the best wrong one, in nats; 0 for an item that could not be scored. */
  readonly margins: readonly number[];
}

/** Judges the log-likelihoods [items][choices] of a task (docs/method.md section 8); an item without any could not be scored. */
export function judgeTask(task: Task, logLikelihoods: readonly (readonly number[])[]): TaskResult {
  const format = promptFormat(task.name);
  const encoder = new TextEncoder();
  const predictions = logLikelihoods.map(largest);
  const predictionsNormalized = task.items.map((item, index) => {
    const { choices } = format(item);
    return largest(
      (logLikelihoods[index] ?? []).map((value, choice) => value / encoder.encode(choices[choice] ?? '').length),
    );
  });
  const plain = meanAndError(correctness(task, predictions));
  const normalized = meanAndError(correctness(task, predictionsNormalized));
  const margins = task.items.map(({ gold }, item) => marginOf(logLikelihoods[item] ?? [], gold));
  const margin = meanAndError(margins);
  return {
    accuracy: plain.mean,
    accuracyNormalized: normalized.mean,
    standardError: plain.standardError,
    standardErrorNormalized: normalized.standardError,
    items: task.items.length,
    unscored: task.items.filter((_, item) => (logLikelihoods[item] ?? []).length === 0).length,
    chance: task.items.reduce((sum, { choices }) => sum + 1 / choices.length, 0) / task.items.length,
    predictions,
    predictionsNormalized,
    margin: margin.mean,
    marginStandardError: margin.standardError,
    margins,
  };
}

/** Of the right choice over the best wrong one; 0 where there are no numbers. */
function marginOf(values: readonly number[], gold: number): number {
  const margin = (values[gold] ?? Number.NaN) - Math.max(...values.filter((_, choice) => choice !== gold));
  return Number.isFinite(margin) ? margin : 0;
}

/** [items]: 1 where the prediction is right, else 0. */
export function correctness(task: Task, predictions: readonly number[]): number[] {
  return task.items.map(({ gold }, index) => (predictions[index] === gold ? 1 : 0));
}

/** Mean of values, and its standard error by the sample standard deviation; 0 for a single value. */
export function meanAndError(values: readonly number[]): { readonly mean: number; readonly standardError: number } {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count < 2) return { mean, standardError: 0 };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  return { mean, standardError: Math.sqrt(variance / count) };
}

/** Index of the largest value; -1, no choice, when none is a number above minus infinity. */
function largest(values: readonly number[]): number {
  return values.reduce((best, value, index) => (value > (values[best] ?? Number.NEGATIVE_INFINITY) ? index : best), -1);
}
