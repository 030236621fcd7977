import { csv } from '../../../csv.ts';
import type { Estimate } from '../../../evaluate/speed/paired-ratio.ts';
import type { SpeedComparison } from '../../../evaluate/speed/speed.ts';
import type { PerplexityMeasurement } from '../../../worker/engine.ts';

export interface ResultRows {
  readonly perplexity: ReadonlyMap<number, PerplexityMeasurement>;
  readonly methods: ReadonlyMap<string, ReadonlyMap<number, PerplexityMeasurement>>;
  readonly speed: ReadonlyMap<number, SpeedComparison>;
}

/** Speeds with the ends of their 99% intervals; those over the dense model were measured in turn with it. */
const SPEEDS: readonly { readonly name: string; readonly of: (speed: SpeedComparison) => Estimate }[] = [
  { name: 'decode_over_dense', of: ({ decode }) => decode },
  { name: 'prefill_over_dense', of: ({ prefill }) => prefill },
  { name: 'decode_tokens_per_second', of: ({ pruned }) => pruned.decode },
  { name: 'prefill_tokens_per_second', of: ({ pruned }) => pruned.prefill },
  { name: 'dense_decode_tokens_per_second', of: ({ dense }) => dense.decode },
  { name: 'dense_prefill_tokens_per_second', of: ({ dense }) => dense.prefill },
];

type Cell = string | number;

const HEAD = [
  ...['method', 'ratio', 'perplexity', 'perplexity_standard_error', 'perplexity_tokens'],
  ...['kl_divergence', 'kl_standard_error', 'top1_agreement'],
  ...SPEEDS.flatMap(({ name }) => [name, `${name}_low`, `${name}_high`]),
];

/** All that was measured, as CSV: one line per method and ratio, empty where nothing was measured. Ratio 0 is the dense model. */
export function resultsCsv({ perplexity, methods, speed }: ResultRows, own: string): string {
  const lines: Cell[][] = [HEAD];
  const ratios = [...new Set([...perplexity.keys(), ...speed.keys()])].sort((a, b) => a - b);
  for (const ratio of ratios)
    lines.push(row(ratio === 0 ? 'dense' : own, ratio, perplexity.get(ratio), speed.get(ratio)));
  for (const [name, values] of methods)
    for (const [ratio, value] of values) lines.push(row(name, ratio, value, undefined));
  return csv(lines);
}

function row(
  method: string,
  ratio: number,
  measured: PerplexityMeasurement | undefined,
  speed: SpeedComparison | undefined,
): Cell[] {
  const numbers = [
    ...[measured?.perplexity, measured?.standardError, measured?.tokens],
    ...[measured?.klDivergence, measured?.klStandardError, measured?.top1Agreement],
    ...SPEEDS.flatMap(({ of }) => {
      const estimate = speed && of(speed);
      return [estimate?.value, estimate?.low, estimate?.high];
    }),
  ];
  return [
    method,
    ratio,
    ...numbers.map((number) => (number === undefined || !Number.isFinite(number) ? '' : Number(number.toPrecision(6)))),
  ];
}
