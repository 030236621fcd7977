import type { Estimate } from '../../../evaluate/speed/paired-ratio.ts';
import type { SpeedComparison } from '../../../evaluate/speed/speed.ts';
import { estimateAt } from './estimate.ts';

/** Whether the interval holds 1: then no difference was measured. */
export function isNoDifference({ low, high }: Estimate): boolean {
  return low <= 1 && high >= 1;
}

/** The ratio of decode speeds between measured ratios of pruning; the dense model counts as 1. Undefined beyond them. */
export function estimatedDecodeRatio(measured: ReadonlyMap<number, SpeedComparison>, at: number): number | undefined {
  if (measured.size === 0) return undefined;
  return estimateAt(
    [{ ratio: 0, value: 1 }, ...[...measured].map(([ratio, { decode }]) => ({ ratio, value: decode.value }))],
    at,
  );
}
