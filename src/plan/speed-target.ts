import { UsageError } from '../errors.ts';

/** How fast a model decodes when a share of it is removed, over the whole one; 1 at a ratio of 0. */
export interface SpeedPoint {
  readonly ratio: number;
  readonly times: number;
}

/**
 * The smallest ratio at which a model is so many times as fast as the whole one, between measured points (straight lines; a point that is slower than one before it counts as that).
 * Throws UsageError where the fastest point falls short, saying how fast it is.
 */
export function ratioForSpeed(points: readonly SpeedPoint[], times: number): number {
  let [before, fastest]: [SpeedPoint, number] = [{ ratio: 0, times: 1 }, 1];
  if (times <= 1) return 0;
  for (const point of [...points].filter(({ ratio }) => ratio > 0).sort((a, b) => a.ratio - b.ratio)) {
    const present = { ratio: point.ratio, times: Math.max(fastest, point.times) };
    if (present.times >= times)
      return before.ratio + ((times - before.times) / (present.times - before.times)) * (present.ratio - before.ratio);
    [before, fastest] = [present, present.times];
  }
  throw new UsageError(
    `That is ${times.toFixed(2)} times as fast as the whole model, and the fastest that was measured here, with ${Math.round(100 * before.ratio)}% removed, is ${fastest.toFixed(2)} times. Ask for less, or choose a number format with fewer bytes.`,
  );
}
