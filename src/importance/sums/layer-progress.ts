/**
 * A layer in the middle of its windows: everything that is summed so far, by name, in the form of the engine that sums it. `signed/{w}`, `signed-squares/{w}`,
 * `joint-squares/{s}`, `input-sum/{w}` and `input-squares/{w}` are float64 and as in `shards.ts`; `first/{w}` and `second/{w}` hold one number for every single weight, and
 * `magnitudes/{w}` the sums per channel of |w g_j|, window after window.
 */
export interface LayerProgress {
  /** Batches whose sums these are, and whose gradients have passed the layer. */
  readonly batches: number;
  readonly sums: Map<string, Float32Array | Float64Array>;
}

export type ProgressSums = ReadonlyMap<string, Float32Array | Float64Array>;

/** One array of equally long ones. */
export function joinWindows(windows: readonly Float32Array[]): Float32Array {
  const length = windows[0]?.length ?? 0;
  const all = new Float32Array(windows.length * length);
  for (const [window, values] of windows.entries()) all.set(values, window * length);
  return all;
}

/** The inverse of `joinWindows`. */
export function splitWindows(all: Float32Array | Float64Array | undefined, windows: number): Float32Array[] {
  const length = (all?.length ?? 0) / windows;
  return Array.from({ length: windows }, (_, window) =>
    Float32Array.from(all?.subarray(window * length, (window + 1) * length) ?? []),
  );
}
