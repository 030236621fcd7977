import { csv } from '../../../csv.ts';
import type { Task } from '../../../evaluate/tasks.ts';
import { type PairedComparison, pairedComparison } from '../../../evaluate/tasks-paired.ts';
import { correctness, judgeTask, type TaskResult } from '../../../evaluate/tasks-result.ts';

export type TaskMetric = 'accuracy' | 'accuracyNormalized';

/** Log-likelihoods [choices] by item. */
export type TaskItems = ReadonlyMap<number, readonly number[]>;

/** A model whose items are measured or to be measured. */
export interface TaskSubject {
  /** 'dense', or what tells the model apart. */
  readonly id: string;
  readonly name: string;
  readonly ratio: number;
  readonly items: TaskItems;
}

/** One line of the results: undefined where no item is measured. */
export interface TaskRow {
  readonly id: string;
  readonly name: string;
  readonly ratio: number;
  readonly result: TaskResult | undefined;
  /** Against the dense model, on the items that both have; absent for the dense model itself. */
  readonly paired: Readonly<Record<TaskMetric, PairedComparison>> | undefined;
}

/** Judges what is measured of the task's items, model by model; the first subject named 'dense' is what the others are compared with. */
export function taskRows(task: Task, subjects: readonly TaskSubject[]): TaskRow[] {
  const dense = subjects.find(({ id }) => id === 'dense');
  return subjects.map((subject) => ({
    id: subject.id,
    name: subject.name,
    ratio: subject.ratio,
    result: judged(task, subject.items)?.result,
    paired: dense && dense !== subject ? comparedTo(task, subject.items, dense.items) : undefined,
  }));
}

/** The items of a task that are measured. */
function judged(task: Task, items: TaskItems, only = (_: number): boolean => true) {
  const places = task.items.flatMap((_, item) => (items.has(item) && only(item) ? [item] : []));
  if (places.length === 0) return undefined;
  const part = { name: task.name, items: places.flatMap((place) => task.items[place] ?? []) };
  const result = judgeTask(
    part,
    places.map((place) => items.get(place) ?? []),
  );
  return { part, result };
}

function comparedTo(task: Task, items: TaskItems, dense: TaskItems): TaskRow['paired'] {
  const [own, other] = [judged(task, items, (item) => dense.has(item)), judged(task, dense, (item) => items.has(item))];
  if (!own || !other) return undefined;
  const compare = (chosen: 'predictions' | 'predictionsNormalized') =>
    pairedComparison(correctness(own.part, own.result[chosen]), correctness(other.part, other.result[chosen]));
  return { accuracy: compare('predictions'), accuracyNormalized: compare('predictionsNormalized') };
}

const HEAD = [
  ...[
    'task',
    'model',
    'ratio',
    'items',
    'accuracy',
    'accuracy_standard_error',
    'accuracy_by_bytes',
    'accuracy_by_bytes_standard_error',
    'chance',
  ],
  ...[
    'against_dense',
    'against_dense_standard_error',
    'against_dense_p',
    'by_bytes_against_dense',
    'by_bytes_against_dense_standard_error',
    'by_bytes_p',
  ],
];

/** The lines that have numbers, as CSV. Accuracies are shares; differences are shares too, on the same items. */
export function tasksCsv(task: string, rows: readonly TaskRow[]): string {
  const lines = rows.flatMap(({ name, ratio, result, paired }) => {
    if (!result) return [];
    const { items, accuracy, standardError, accuracyNormalized, standardErrorNormalized, chance } = result;
    const differences = [paired?.accuracy, paired?.accuracyNormalized].flatMap((pair) => [
      pair?.difference,
      pair?.standardError,
      pair?.pValue,
    ]);
    const numbers = [
      ratio,
      items,
      accuracy,
      standardError,
      accuracyNormalized,
      standardErrorNormalized,
      chance,
      ...differences,
    ];
    return [[task, name, ...numbers.map((number) => (number === undefined ? '' : Number(number.toPrecision(6))))]];
  });
  return csv([HEAD, ...lines]);
}
