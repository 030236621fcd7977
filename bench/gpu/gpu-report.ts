import type { ComputeDevice } from '../../src/evaluate/speed/compute-device.ts';
import type { Estimate } from '../../src/evaluate/speed/paired-ratio.ts';
import type { ProductSpeed } from '../../src/evaluate/speed/products.ts';
import { totalOf } from '../decode-lap.ts';
import type { GpuDecoding } from './gpu-decoding.ts';

/** Our loop over transformers.js on the same file, device and tokens, lap by lap in turn. */
export interface GpuPeerResult {
  readonly name: string;
  /** Our speed over theirs, by the medians of laps. */
  readonly decode: number;
  readonly prefill: number;
  /** Greedy tokens that are the same from the first on. */
  readonly sameTokens: number;
  readonly tokens: number;
}

/** A sentence where theirs did not run. */
export interface GpuPeer {
  readonly format: string;
  readonly result: GpuPeerResult | { readonly failure: string };
}

/** Scoring with all metrics, and the forward pass in it. */
export interface GpuScoring {
  readonly precision: 'f32' | 'f16';
  readonly tokens: number;
  readonly seconds: number;
  readonly forwardSeconds: number;
}

/** Everything that `npm run gpu` measured: its JSON. */
export interface GpuReport {
  /** 'YYYY-MM-DD'. */
  readonly date: string;
  readonly version: string;
  readonly node: string;
  readonly quick: boolean;
  readonly device: ComputeDevice;
  readonly products: readonly ProductSpeed[];
  readonly model: { readonly name: string; readonly layers: number };
  readonly scoring: readonly GpuScoring[];
  readonly decoding: readonly GpuDecoding[];
  readonly peers: readonly GpuPeer[];
  /** Of the whole run. */
  readonly seconds: number;
}

/** The report as Markdown, to paste. */
export function gpuMarkdown(report: GpuReport): string {
  const { products, model, scoring, decoding, peers } = report;
  const [product] = products;
  const texts = [
    table(['device', ''], deviceRows(report)),
    table(
      [`product, ${product?.size} × ${product?.size}`, 'rows', 'GFLOP/s'],
      products.map(({ format, rows, gigaflops }) => [format, String(rows), figures(gigaflops)]),
    ),
    table(
      [`scoring ${model.name}, all metrics`, 'tokens', 'tokens/s', 'over a forward pass'],
      scoring.map(({ precision, tokens, seconds, forwardSeconds }) => [
        ...[precision, String(tokens), figures(tokens / seconds), `×${(seconds / forwardSeconds).toFixed(2)}`],
      ]),
    ),
    table(
      [
        ...[`decode, ${model.name}`, 'removed', 'MiB', 'prefill, tokens/s', 'tokens/s', 'over dense', 'bytes allow'],
        ...['GB/s', 'dispatches', 'a layer', 'µs each'],
      ],
      decoding.map((entry) => decodingRow(entry, decoding, model.layers)),
    ),
    dispatchTable(decoding),
    table(
      ['ours over transformers.js', 'decode', 'prefill', 'same tokens'],
      peers.map(({ format, result }) =>
        'failure' in result
          ? [format, result.failure, '', '']
          : [
              ...[`${format}, ${result.name}`, `×${result.decode.toFixed(2)}`, `×${result.prefill.toFixed(2)}`],
              `${result.sameTokens} of ${result.tokens}`,
            ],
      ),
    ),
  ];
  return `${texts.filter((text) => text !== '').join('\n\n')}\n`;
}

function deviceRows({ device, node, version, date, quick, seconds }: GpuReport): string[][] {
  const { adapter, limits, features } = device;
  return [
    ['Adapter', `${adapter?.name ?? device.description}${adapter?.software ? ', on the processor' : ''}`],
    ['Half precision', adapter?.halfPrecision ? 'yes' : 'no'],
    ['Features', features.join(', ') || 'none'],
    ...Object.entries(limits).map(([name, value]) => [name, value.toLocaleString('en-US')]),
    ['Node', node],
    ['Espalier', `${version}, ${date}, ${quick ? 'quick, ' : ''}${seconds.toFixed(0)} s`],
  ];
}

function decodingRow(entry: GpuDecoding, all: readonly GpuDecoding[], layers: number): string[] {
  const { format, share, bytes, prefill, decode, over } = entry;
  const dense = all.find((other) => other.format === format && other.share === 0);
  const dispatches = totalOf(entry.dispatches);
  return [
    ...[format, `${share * 100}%`, (bytes / 2 ** 20).toFixed(1), interval(prefill), interval(decode)],
    ...(over && dense ? [`×${interval(over.decode)}`, `×${(dense.bytes / bytes).toFixed(2)}`] : ['', '']),
    ...[((bytes * decode.value) / 1e9).toFixed(2), String(dispatches), (dispatches / layers).toFixed(1)],
    (1e6 / decode.value / dispatches).toFixed(0),
  ];
}

/** What a token of each format dispatches, dense; narrower models have the same operators. */
function dispatchTable(decoding: readonly GpuDecoding[]): string {
  const dense = decoding.filter(({ share }) => share === 0);
  const names = [...new Set(dense.flatMap(({ dispatches }) => Object.keys(dispatches)))];
  return table(
    ['dispatches of a token', ...dense.map(({ format }) => format)],
    names.map((name) => [name, ...dense.map(({ dispatches }) => String(dispatches[name] ?? 0))]),
  );
}

/** Nothing where there are no rows. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Three figures: 3.25, 41.7, 980. */
function figures(value: number): string {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en-US');
}

function interval({ value, low, high }: Estimate): string {
  return Number.isFinite(high) ? `${figures(value)} (${figures(low)}–${figures(high)})` : figures(value);
}
