import { type ScaleContinuousNumeric, scaleLinear, scaleLog } from 'd3';

/** A scale of values with the ticks that have room on it. */
export interface ValueScale {
  readonly scale: ScaleContinuousNumeric<number, number>;
  readonly ticks: readonly number[];
}

/** A logarithmic scale over positive values with a little air, as shares of them; ticks stand `gap` pixels apart. Undefined without values. */
export function logarithmicScale(
  values: readonly number[],
  range: readonly [number, number],
  { below = 1.15, above = 1.15, gap = 24 } = {},
): ValueScale | undefined {
  if (values.length === 0) return undefined;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const scale = scaleLog([Math.max(low / below, Number.MIN_VALUE), high * above], range);
  return { scale, ticks: apart(scale.ticks(4), scale, gap) };
}

/** A linear scale from 0 to above the largest value. Undefined without values. */
export function scaleFromZero(values: readonly number[], range: readonly [number, number]): ValueScale | undefined {
  if (values.length === 0) return undefined;
  const scale = scaleLinear([0, Math.max(...values) * 1.15], range);
  return { scale, ticks: scale.ticks(4) };
}

/** Ticks from the lowest on that stand `gap` pixels apart. */
function apart(ticks: readonly number[], scale: (value: number) => number, gap: number): number[] {
  const kept: number[] = [];
  for (const tick of ticks) {
    const last = kept.at(-1);
    if (last === undefined || Math.abs(scale(last) - scale(tick)) >= gap) kept.push(tick);
  }
  return kept;
}
