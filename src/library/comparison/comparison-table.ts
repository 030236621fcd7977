import { csv } from '../../csv.ts';
import type { ComparisonRow } from './types.ts';

/** One line of a comparison over seeds: means, and the spread between seeds (population standard deviation). */
export interface ComparisonSummary {
  readonly method: string;
  readonly ratio: number;
  readonly seeds: number;
  readonly reachedRatio: number;
  readonly parameters: number;
  readonly texts: Readonly<
    Record<
      string,
      {
        readonly mean: number;
        readonly spread: number;
        readonly standardError: number;
        readonly klDivergence: number;
        readonly top1Agreement: number;
      }
    >
  >;
}

/** Mean and spread (population standard deviation) of values that are not none. */
export function meanAndSpread(values: readonly number[]): { readonly mean: number; readonly spread: number } {
  const average = (numbers: readonly number[]) => numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
  const mean = average(values);
  return { mean, spread: Math.sqrt(average(values.map((value) => (value - mean) ** 2))) };
}

/** Groups rows by method and ratio, in the order in which they first appear. */
export function summariseRows(rows: readonly ComparisonRow[]): ComparisonSummary[] {
  const groups = new Map<string, ComparisonRow[]>();
  for (const row of rows) {
    const key = `${row.ratio}|${row.method}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  const mean = (values: readonly number[]) => meanAndSpread(values).mean;
  return [...groups.values()].flatMap((group) => {
    const first = group[0];
    if (!first) return [];
    const texts = Object.keys(first.texts).map((name) => {
      const perplexities = meanAndSpread(group.map((row) => row.texts[name]?.perplexity ?? Number.NaN));
      return [
        name,
        {
          ...perplexities,
          standardError: mean(group.map((row) => row.texts[name]?.standardError ?? Number.NaN)),
          klDivergence: mean(group.map((row) => row.texts[name]?.klDivergence ?? Number.NaN)),
          top1Agreement: mean(group.map((row) => row.texts[name]?.top1Agreement ?? Number.NaN)),
        },
      ] as const;
    });
    const { method, ratio } = first;
    return [
      {
        method,
        ratio,
        seeds: group.length,
        reachedRatio: mean(group.map((row) => row.reachedRatio)),
        parameters: Math.round(mean(group.map((row) => row.parameters))),
        texts: Object.fromEntries(texts),
      },
    ];
  });
}

/** A Markdown table, methods by ratio, best first within a ratio; compensated methods are named as such by their suffix. */
export function comparisonMarkdown(rows: readonly ComparisonRow[]): string {
  const summaries = summariseRows(rows);
  const names = Object.keys(rows[0]?.texts ?? {});
  const columns = [
    'removed',
    'method',
    'parameters',
    ...names.flatMap((name) => [name, `KL, ${name}`, `same first choice, ${name}`]),
  ];
  const lines = [`| ${columns.join(' | ')} |`, `|${columns.map(() => '---|').join('')}`];
  for (const ratio of [...new Set(summaries.map((summary) => summary.ratio))].sort((a, b) => a - b)) {
    const first = names[0] ?? '';
    const group = summaries
      .filter((summary) => summary.ratio === ratio)
      .sort((a, b) => (a.texts[first]?.mean ?? 0) - (b.texts[first]?.mean ?? 0));
    for (const { method, reachedRatio, parameters, texts, seeds } of group) {
      const cells = names.flatMap((name) => {
        const {
          mean = Number.NaN,
          spread = 0,
          klDivergence = Number.NaN,
          top1Agreement = Number.NaN,
        } = texts[name] ?? {};
        // Files of versions that did not measure them have none.
        const divergence = Number.isFinite(klDivergence) ? klDivergence.toFixed(3) : '';
        const agreement = Number.isFinite(top1Agreement) ? `${(100 * top1Agreement).toFixed(1)}%` : '';
        return [seeds > 1 ? `${number(mean)} ± ${number(spread)}` : number(mean), divergence, agreement];
      });
      lines.push(
        `| ${[`${(reachedRatio * 100).toFixed(1)}%`, method, parameters.toLocaleString('en-US'), ...cells].join(' | ')} |`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}

/** What is said of a training. */
const TRAINED = ['steps', 'bestStep', 'trainedTokens', 'heldOutBefore', 'heldOutAfter'] as const;

/** Every cell as comma-separated values, with its training where a method has recovery. */
export function comparisonCsv(rows: readonly ComparisonRow[]): string {
  const names = Object.keys(rows[0]?.texts ?? {});
  const tasks = Object.keys(rows[0]?.tasks ?? {});
  const trained = rows.some(({ recovery }) => recovery) ? TRAINED : [];
  const header = [
    'method',
    'ratio',
    'seed',
    'reachedRatio',
    'parameters',
    'removedParameters',
    'seconds',
    ...names.flatMap((name) =>
      ['perplexity', 'standard error', 'KL', 'KL standard error', 'top-1 agreement'].map((what) => `${name} ${what}`),
    ),
    ...tasks.flatMap((name) => [`${name} accuracy`, `${name} accuracy by bytes`, `${name} items`]),
    ...trained.map((name) => `recovery ${name}`),
  ];
  const lines = rows.map((row) => [
    row.method,
    row.ratio,
    row.seed,
    row.reachedRatio,
    row.parameters,
    row.removedParameters,
    row.seconds,
    ...names.flatMap((name) => [
      row.texts[name]?.perplexity,
      row.texts[name]?.standardError,
      row.texts[name]?.klDivergence,
      row.texts[name]?.klStandardError,
      row.texts[name]?.top1Agreement,
    ]),
    ...tasks.flatMap((name) => [
      row.tasks?.[name]?.accuracy,
      row.tasks?.[name]?.accuracyNormalized,
      row.tasks?.[name]?.items,
    ]),
    ...trained.map((name) => row.recovery?.[name]),
  ]);
  return csv([header, ...lines]);
}

const number = (value: number) =>
  Number.isFinite(value)
    ? value < 1000
      ? value.toFixed(value < 100 ? 2 : 1)
      : Math.round(value).toLocaleString('en-US')
    : 'not finite';
