import { type PairedComparison, pairedComparison } from '../../evaluate/tasks-paired.ts';
import { meanAndError } from '../../evaluate/tasks-result.ts';
import type { TaskScores } from '../task-scores.ts';
import { meanAndSpread } from './comparison-table.ts';
import type { ComparisonRow } from './types.ts';

/** Two methods at one ratio on the same items: per task, and over tasks. */
export interface MethodPair {
  /** Share of the prunable weights that was removed. */
  readonly ratio: number;
  /** A method's name. */
  readonly first: string;
  /** The other's. */
  readonly second: string;
  /** By log-likelihood. */
  readonly accuracy: PairedTasks;
  /** By log-likelihood per byte. */
  readonly accuracyNormalized: PairedTasks;
  /** Of the right choice's log-likelihood over the best wrong one, in nats; absent in files of versions that did not keep it. */
  readonly margin?: PairedMeans;
}

/** Means over tasks of what the first has more than the second. */
/** The mean difference of two methods over tasks, and that of each task. */
export interface PairedMeans<Task extends Difference = Difference> extends Difference {
  /** Each task's own. */
  readonly tasks: Readonly<Record<string, Task>>;
}

/** A difference with its standard error. */
export interface Difference {
  /** Of the first from the second. */
  readonly difference: number;
  /** Over items; of a mean over tasks: sqrt(sum of the tasks' squared errors) / tasks. */
  readonly standardError: number;
}

/** Differences of two methods on the same items, by task. */
export interface PairedTasks extends PairedMeans<PairedComparison> {
  /** The items of all tasks together, each counting alike. */
  readonly pooled: PairedComparison;
}

type Answers = ReadonlyMap<string, readonly number[]>;

/**
 * Every two methods of a ratio, and each against the dense model, in the order of the rows. With several seeds an item's answer is its mean
 * over them, so that an item counts once. Empty when the rows have no tasks.
 */
export function pairedMethods(rows: readonly ComparisonRow[]): MethodPair[] {
  const dense = rows.filter(({ method }) => method === 'dense');
  const ratios = [...new Set(rows.filter(({ method }) => method !== 'dense').map(({ ratio }) => ratio))];
  return ratios.flatMap((ratio) => {
    const there = [...rows.filter((row) => row.method !== 'dense' && row.ratio === ratio), ...dense].filter(
      ({ tasks }) => tasks !== undefined,
    );
    const methods = [...new Set(there.map(({ method }) => method))].map((method) => {
      const own = there.filter((row) => row.method === method);
      return {
        method,
        plain: meanAnswers(own, ({ correct }) => digits(correct)),
        normalized: meanAnswers(own, ({ correctNormalized }) => digits(correctNormalized)),
        margins: own.every(hasMargins) ? meanAnswers(own, ({ margins = [] }) => margins) : undefined,
      };
    });
    return methods.flatMap((first, index) =>
      methods.slice(index + 1).map((second) => ({
        ratio,
        first: first.method,
        second: second.method,
        accuracy: pairTasks(first.plain, second.plain),
        accuracyNormalized: pairTasks(first.normalized, second.normalized),
        ...(first.margins && second.margins && { margin: pairMargins(first.margins, second.margins) }),
      })),
    );
  });
}

const digits = (text: string) => Array.from(text, Number);

function hasMargins({ tasks }: ComparisonRow): boolean {
  return Object.values(tasks ?? {}).every(({ margins }) => margins !== undefined);
}

/** Of each task and item, the mean over rows. */
function meanAnswers(rows: readonly ComparisonRow[], valuesOf: (task: TaskScores) => readonly number[]): Answers {
  const names = Object.keys(rows[0]?.tasks ?? {});
  return new Map(
    names.map((name) => {
      const values = rows.map(({ tasks }) => (tasks?.[name] ? valuesOf(tasks[name]) : []));
      return [
        name,
        (values[0] ?? []).map(
          (_, item) => values.reduce((sum, each) => sum + (each[item] ?? Number.NaN), 0) / values.length,
        ),
      ];
    }),
  );
}

function pairTasks(first: Answers, second: Answers): PairedTasks {
  const tasks = Object.fromEntries(
    [...first].map(([name, answers]) => [name, pairedComparison(answers, second.get(name) ?? [])]),
  );
  const all = (answers: Answers) => [...first.keys()].flatMap((name) => answers.get(name) ?? []);
  return { ...meanOver(tasks), pooled: pairedComparison(all(first), all(second)) };
}

function pairMargins(first: Answers, second: Answers): PairedMeans {
  return meanOver(
    Object.fromEntries(
      [...first].map(([name, margins]) => {
        const others = second.get(name) ?? [];
        const { mean, standardError } = meanAndError(
          margins.map((margin, item) => margin - (others[item] ?? Number.NaN)),
        );
        return [name, { difference: mean, standardError }];
      }),
    ),
  );
}

function meanOver<Task extends Difference>(tasks: Readonly<Record<string, Task>>): PairedMeans<Task> {
  const all = Object.values(tasks);
  return {
    difference: all.reduce((sum, { difference }) => sum + difference, 0) / all.length,
    standardError: Math.sqrt(all.reduce((sum, { standardError }) => sum + standardError ** 2, 0)) / all.length,
    tasks,
  };
}

/**
 * Markdown tables of zero-shot accuracies in percent (plain / by bytes), best mean first within a ratio, and of the best method's lead over every
 * other one on the same items: of accuracies, and of the margin of the right choice; McNemar's test is over the items of all tasks. With several seeds the mean over tasks has its spread between them. Empty when the rows have no tasks.
 */
export function tasksMarkdown(rows: readonly ComparisonRow[]): string {
  const names = Object.keys(rows[0]?.tasks ?? {});
  if (names.length === 0) return '';
  const lines = [
    `| removed | method | ${names.join(' | ')} | mean |`,
    `|---|---|${names.map(() => '---|').join('')}---|`,
  ];
  const leads = [
    '| removed | best method | against | accuracy, points | by bytes, points | McNemar, all items, by bytes | margin, nats |',
    '|---|---|---|---|---|---|---|',
  ];
  const pairs = pairedMethods(rows);
  for (const ratio of [...new Set(rows.map((row) => row.ratio))].sort((a, b) => a - b)) {
    const methods = [...new Set(rows.filter((row) => row.ratio === ratio).map(({ method }) => method))]
      .map((method) => summary(rows.filter((row) => row.ratio === ratio && row.method === method)))
      .sort((a, b) => (b.at(-1)?.accuracy.mean ?? 0) - (a.at(-1)?.accuracy.mean ?? 0));
    for (const cells of methods) {
      const [first] = cells;
      if (!first) continue;
      const shown = cells.map(
        ({ accuracy, accuracyNormalized }) => `${percent(accuracy)} / ${percent(accuracyNormalized)}`,
      );
      lines.push(`| ${(100 * first.reachedRatio).toFixed(1)}% | ${first.method} | ${shown.join(' | ')} |`);
    }
    const best = methods[0]?.[0]?.method;
    for (const pair of pairs.filter((each) => each.ratio === ratio && (each.first === best || each.second === best))) {
      const sign = pair.first === best ? 1 : -1;
      const lead = ({ difference, standardError }: Difference, unit: number, digits: number) =>
        `${signed(unit * sign * difference, digits)} ± ${(unit * standardError).toFixed(digits)}`;
      const cells = [
        `${(100 * ratio).toFixed(0)}%`,
        best,
        sign > 0 ? pair.second : pair.first,
        lead(pair.accuracy, 100, 1),
        lead(pair.accuracyNormalized, 100, 1),
        `p ${pair.accuracyNormalized.pooled.pValue.toPrecision(2)}`,
        pair.margin ? lead(pair.margin, 1, 3) : '',
      ];
      leads.push(`| ${cells.join(' | ')} |`);
    }
  }
  return `${lines.join('\n')}\n${leads.length > 2 ? `\n${leads.join('\n')}\n` : ''}`;
}

/** A share: its mean over seeds, and the spread between them where it is of interest and there are several. */
interface Share {
  readonly mean: number;
  readonly spread?: number;
}

/** Means over seeds of every task, then over tasks with the spread between seeds. */
function summary(rows: readonly ComparisonRow[]) {
  const { method = '', tasks = {} } = rows[0] ?? {};
  const { mean: reachedRatio } = meanAndSpread(rows.map((row) => row.reachedRatio));
  const values = (row: ComparisonRow, key: 'accuracy' | 'accuracyNormalized') =>
    Object.values(row.tasks ?? {}).map((task) => task[key]);
  const of = (name: string, key: 'accuracy' | 'accuracyNormalized'): Share => ({
    mean: meanAndSpread(rows.map((row) => row.tasks?.[name]?.[key] ?? Number.NaN)).mean,
  });
  const over = (key: 'accuracy' | 'accuracyNormalized'): Share => {
    const { mean, spread } = meanAndSpread(rows.map((row) => meanAndSpread(values(row, key)).mean));
    return { mean, ...(rows.length > 1 && { spread }) };
  };
  const cells = Object.keys(tasks).map((name) => ({
    method,
    reachedRatio,
    accuracy: of(name, 'accuracy'),
    accuracyNormalized: of(name, 'accuracyNormalized'),
  }));
  return [
    ...cells,
    { method, reachedRatio, accuracy: over('accuracy'), accuracyNormalized: over('accuracyNormalized') },
  ];
}

const percent = ({ mean, spread }: Share) =>
  [mean, ...(spread === undefined ? [] : [spread])].map((share) => (100 * share).toFixed(1)).join(' ± ');
const signed = (value: number, digits: number) => `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(digits)}`;
