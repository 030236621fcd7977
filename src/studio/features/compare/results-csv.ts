import type { PerplexityMeasurement, SpeedComparison } from '../../../worker/engine.ts';

export interface ResultRows {
  readonly perplexity: ReadonlyMap<number, PerplexityMeasurement>;
  readonly methods: ReadonlyMap<string, ReadonlyMap<number, PerplexityMeasurement>>;
  readonly speed: ReadonlyMap<number, SpeedComparison>;
}

const HEAD = [
  ...['method', 'ratio', 'perplexity', 'perplexity_standard_error', 'perplexity_tokens'],
  ...[
    'decode_tokens_per_second',
    'prefill_tokens_per_second',
    'dense_decode_tokens_per_second',
    'dense_prefill_tokens_per_second',
  ],
];

/** All that was measured, as CSV: one line per method and ratio, empty where nothing was measured. Ratio 0 is the dense model. */
export function resultsCsv({ perplexity, methods, speed }: ResultRows, own: string): string {
  const lines = [HEAD.join(',')];
  const ratios = [...new Set([...perplexity.keys(), ...speed.keys()])].sort((a, b) => a - b);
  for (const ratio of ratios)
    lines.push(row(ratio === 0 ? 'dense' : own, ratio, perplexity.get(ratio), speed.get(ratio)));
  for (const [name, values] of methods)
    for (const [ratio, value] of values) lines.push(row(name, ratio, value, undefined));
  return `${lines.join('\n')}\n`;
}

function row(
  method: string,
  ratio: number,
  measured: PerplexityMeasurement | undefined,
  speed: SpeedComparison | undefined,
): string {
  const numbers = [
    ...[measured?.perplexity, measured?.standardError, measured?.tokens],
    ...[
      speed?.pruned.decodeTokensPerSecond,
      speed?.pruned.prefillTokensPerSecond,
      speed?.dense.decodeTokensPerSecond,
      speed?.dense.prefillTokensPerSecond,
    ],
  ];
  return [
    quoted(method),
    ratio,
    ...numbers.map((number) => (number === undefined ? '' : Number(number.toPrecision(6)))),
  ].join(',');
}

function quoted(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
