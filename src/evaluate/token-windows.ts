import { MismatchError, UsageError } from '../errors.ts';
import { sampleWithoutReplacement, seededRandom } from '../random.ts';

/** How a text is cut into windows. */
export interface WindowOptions {
  /** Tokens per window, at least 2. */
  readonly length: number;
  /** How many windows to draw; all, in order, when it is absent. */
  readonly count?: number | undefined;
  /** Of the choice of windows; absent: the first ones, in order. */
  readonly seed?: number | undefined;
}

/**
 * Cuts token ids into consecutive windows that do not overlap; a last partial one is dropped.
 * Without `count`: all of them, in order (evaluation). With it: that many, drawn without replacement by `seed` and kept in the order of the text
 * (calibration), so that the same text, length, count and seed give the same windows everywhere.
 * Throws UsageError when the text is too short.
 */
export function tokenWindows(ids: ArrayLike<number>, { length, count, seed = 0 }: WindowOptions): Int32Array[] {
  if (!Number.isInteger(length) || length < 2)
    throw new UsageError(`A window of ${length} tokens is not possible; a window has at least 2, for one prediction.`);
  if (count !== undefined && (!Number.isInteger(count) || count < 1))
    throw new UsageError(`${count} windows are not possible; give at least 1.`);
  if (ids.length < length) {
    throw new UsageError(
      `The text has ${ids.length} tokens, shorter than one window of ${length}. Give a longer text or a shorter window.`,
    );
  }
  const available = Math.floor(ids.length / length);
  const window = (i: number) => Int32Array.from({ length }, (_, j) => ids[i * length + j] as number);
  if (count === undefined) return Array.from({ length: available }, (_, i) => window(i));
  if (count > available) {
    throw new UsageError(
      `${count} windows of ${length} tokens were asked for, but the text has ${ids.length} tokens, enough for ${available}. Give a longer text or fewer windows.`,
    );
  }
  const chosen = sampleWithoutReplacement(available, count, seededRandom(seed)).sort((a, b) => a - b);
  return chosen.map(window);
}

/** Checks windows of token ids and returns their common length. */
export function checkWindows(windows: readonly ArrayLike<number>[], vocabulary: number): number {
  const tokens = windows[0]?.length ?? 0;
  if (tokens < 2) throw new UsageError(`A window has ${tokens} tokens; at least 2 are needed for one prediction.`);
  windows.forEach((window, index) => {
    if (window.length !== tokens)
      throw new MismatchError(
        `Window ${index} has ${window.length} tokens and window 0 has ${tokens}; all must be equally long.`,
      );
    for (let token = 0; token < tokens; token++) {
      const id = window[token] ?? -1;
      if (!Number.isInteger(id) || id < 0 || id >= vocabulary)
        throw new MismatchError(
          `Window ${index} has token id ${id}; this model's ids run from 0 to ${vocabulary - 1}.`,
        );
    }
  });
  return tokens;
}
