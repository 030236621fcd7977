import type { SpeedComparison } from '../../../evaluate/speed/speed.ts';
import type { DeviceFacts } from '../../../worker/engine.ts';
import { formatPercent, formatSpeed, formatSpeedEstimate, formatSpeedRatio } from '../../parts/format.ts';

/** What was measured of a device, whole: the JSON that can be taken away. */
export interface DeviceReport {
  /** 'YYYY-MM-DD'. */
  readonly date: string;
  readonly browser: { readonly userAgent: string; readonly cores: number; readonly isolated: boolean };
  readonly facts: DeviceFacts;
  /** The model whose tokens were timed; undefined where it has no scores to prune by, and none were. */
  readonly model: string | undefined;
  readonly speeds: readonly { readonly ratio: number; readonly speed: SpeedComparison }[];
}

/** Lines of two columns: what it is. */
export function deviceLines({
  facts,
  browser,
  date,
}: DeviceReport): readonly (readonly [name: string, value: string])[] {
  const { adapter, limits, features } = facts;
  return [
    ['Computes on', facts.description],
    ...(adapter
      ? ([
          ['Adapter', `${adapter.name}${adapter.software ? ', on the processor' : ''}`],
          ['Half precision', adapter.halfPrecision ? 'yes' : 'no'],
          ['Features', features.join(', ') || 'none'],
        ] as const)
      : []),
    ...Object.entries(limits).map(([name, value]) => [name, value.toLocaleString('en-US')] as const),
    ['Cores', `${browser.cores}${browser.isolated ? '' : ', page not isolated'}`],
    ['Browser', browser.userAgent],
    ['Espalier', `${facts.version}, ${date}`],
  ];
}

/** The report as Markdown, to paste where people talk about devices. */
export function deviceMarkdown(report: DeviceReport): string {
  const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
    [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
  const { facts, speeds, model } = report;
  const tables = [
    table(['device', ''], deviceLines(report)),
    table(
      ['product', 'rows', 'GFLOP/s'],
      facts.products.map(({ format, rows, size, gigaflops }) => [
        ...[`${format}, ${size} × ${size}`, String(rows), formatSpeed(gigaflops)],
      ]),
    ),
  ];
  if (speeds.length > 0)
    tables.push(
      table(
        [`${model}, removed`, 'dense, tokens/s', 'pruned, tokens/s', 'decode over dense', 'prefill over dense'],
        speeds.map(({ ratio, speed }) => [
          ...[formatPercent(ratio), formatSpeedEstimate(speed.dense.decode), formatSpeedEstimate(speed.pruned.decode)],
          ...[formatSpeedRatio(speed.decode), formatSpeedRatio(speed.prefill)],
        ]),
      ),
    );
  return `${tables.join('\n\n')}\n`;
}
