/** Milliseconds of one call. */
export async function time(work: () => Promise<unknown> | unknown): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** Runs several pieces of work in turn, `rounds` times after one round of warm-up, and returns the times of each in milliseconds. */
export async function interleave<Name extends string>(
  work: Readonly<Record<Name, () => Promise<unknown> | unknown>>,
  rounds: number,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(work) as Name[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = -1; round < rounds; round++) {
    for (const name of names) {
      const taken = await time(work[name]);
      if (round >= 0) times[name].push(taken);
    }
  }
  return times;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

/** Median with its range: '12.3 ms (11.9 to 14.0)'. */
export function spread(values: readonly number[]): string {
  return `${median(values).toFixed(1)} ms (${Math.min(...values).toFixed(1)} to ${Math.max(...values).toFixed(1)})`;
}

/** Median of the ratios pair by pair, with their range. */
export function ratio(numerator: readonly number[], denominator: readonly number[]): string {
  const ratios = numerator.map((value, index) => value / (denominator[index] ?? Number.NaN));
  return `${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`;
}
