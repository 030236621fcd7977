import type { PerplexityMeasurement } from '../../../worker/engine.ts';

/** A perplexity over another one on the same windows, with its standard error. */
export interface PairedFactor {
  readonly factor: number;
  /** Of the factor; the windows of both are the same, so what makes a window hard falls on both and cancels. */
  readonly error: number;
}

/** Pruned against dense on the same windows; undefined where single windows are not known, or not the same ones were measured. */
export function pairedFactor(dense: PerplexityMeasurement, pruned: PerplexityMeasurement): PairedFactor | undefined {
  const [first, second] = [dense.windowLosses, pruned.windowLosses];
  if (!first || !second || first.length !== second.length || first.length < 2) return undefined;
  const differences = second.map((loss, window) => loss - (first[window] ?? 0));
  const count = differences.length;
  const mean = differences.reduce((sum, value) => sum + value, 0) / count;
  const variance = differences.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  const factor = Math.exp(mean);
  return { factor, error: factor * Math.sqrt(variance / count) };
}
