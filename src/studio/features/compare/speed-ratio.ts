import type { Estimate } from '../../../evaluate/speed/paired-ratio.ts';
import type { SpeedComparison } from '../../../evaluate/speed/speed.ts';
import { formatPercent } from '../../parts/format.ts';
import { estimateAt } from './estimate.ts';

/** Whether the interval holds 1: then no difference was measured. */
export function isNoDifference({ low, high }: Estimate): boolean {
  return low <= 1 && high >= 1;
}

/** A ratio of decode speeds that was not measured at this ratio of pruning, and what it is taken from. */
export interface SpeedGuess {
  readonly value: number;
  /** For people: 'between measured', 'as at 20%, by share'. */
  readonly from: string;
}

/**
 * The ratio of decode speeds at a ratio of pruning where it was not measured: between measured ones, with 1 for the dense model; beyond them the farthest one's, its logarithm in
 * proportion to the share that goes. Undefined while nothing is measured.
 */
export function guessedDecodeRatio(measured: ReadonlyMap<number, SpeedComparison>, at: number): SpeedGuess | undefined {
  const known = [...measured].map(([ratio, { decode }]) => ({ ratio, value: decode.value }));
  const between = estimateAt([{ ratio: 0, value: 1 }, ...known], at);
  if (between !== undefined) return { value: between, from: 'between measured' };
  const farthest = known.toSorted((a, b) => b.ratio - a.ratio)[0];
  if (!farthest || farthest.ratio === 0) return undefined;
  return {
    value: farthest.value ** (at / farthest.ratio),
    from: `from ×${formatTimes(farthest.value)} at ${formatPercent(farthest.ratio)}`,
  };
}

/** 1.09, 2.3, 14: a factor in three figures at most. */
export function formatTimes(factor: number): string {
  if (factor < 2) return factor.toFixed(2);
  return factor < 10 ? factor.toFixed(1) : String(Math.round(factor));
}
