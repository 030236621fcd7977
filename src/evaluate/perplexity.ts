import { forwardBlocks, headRows, nextTokenTargets, rowChunks } from '../architecture/forward.ts';
import { checkComputed } from '../architecture/not-finite.ts';
import type { Programs } from '../architecture/programs.ts';
import type { WeightStore } from '../architecture/weight-store.ts';
import { MismatchError, throwIfCancelled, UsageError } from '../errors.ts';
import type { LongRunning } from '../progress.ts';

export interface PerplexityResult {
  readonly perplexity: number;
  /** Of the perplexity, over windows, by the delta method: perplexity * standard deviation of window losses / sqrt(windows). */
  readonly standardError: number;
  /** Mean cross-entropy in nats over all predictions. */
  readonly loss: number;
  /** Predictions that the mean is taken over. */
  readonly tokens: number;
  readonly window: number;
  readonly windows: number;
  /** Mean loss of each window, for paired comparisons. */
  readonly windowLosses: readonly number[];
}

/** Tokens per run of a program and per pass over the layers. */
const BATCH_TOKENS = 1024;
const PASS_TOKENS = 16_384;

/**
 * Perplexity over equally long windows of token ids (docs/method.md section 8): exp of the mean cross-entropy over window - 1 predictions each.
 * Throws UsageError for windows shorter than 2 tokens, MismatchError for ids outside the vocabulary and DeviceError for losses that are no finite numbers.
 */
export async function perplexity(
  programs: Programs,
  store: WeightStore,
  windows: readonly ArrayLike<number>[],
  options: LongRunning = {},
): Promise<PerplexityResult> {
  const tokens = checkWindows(windows, store.model.architecture.config.vocabulary);
  const perBatch = Math.max(1, Math.floor(BATCH_TOKENS / tokens));
  const perPass = Math.max(perBatch, Math.floor(PASS_TOKENS / tokens / perBatch) * perBatch);
  const windowLosses: number[] = [];
  for (let start = 0; start < windows.length; start += perPass) {
    const pass = windows.slice(start, start + perPass);
    const batches = Array.from({ length: Math.ceil(pass.length / perBatch) }, (_, index) =>
      pass.slice(index * perBatch, (index + 1) * perBatch),
    );
    // The head counts as a layer.
    const units = (store.model.architecture.config.layers + 1) * batches.length;
    const report = (done: number) =>
      options.onProgress?.({
        stage: 'perplexity',
        completed: start + Math.floor((pass.length * done) / units),
        total: windows.length,
        unit: 'windows',
      });
    const states = await forwardBlocks(programs, store, batches, {
      signal: options.signal,
      onProgress: options.onProgress && (({ completed }) => report(completed)),
    });
    try {
      using weights = await store.lease('head');
      for (const [index, batch] of batches.entries()) {
        throwIfCancelled(options.signal);
        const state = states[index];
        if (!state) throw new MismatchError(`The forward pass returned ${states.length} batches of ${batches.length}.`);
        const hidden = await programs.runtime.read(state);
        const { targets, weights: rowWeights } = nextTokenTargets(batch);
        const sums = new Float64Array(batch.length);
        for (const { start: first, chunk } of rowChunks(hidden, headRows(store.model.architecture.config.vocabulary))) {
          const count = chunk.shape[0] ?? 0;
          const losses = await programs.losses(weights, chunk, targets.subarray(first, first + count));
          losses.forEach((loss, row) => {
            if (rowWeights[first + row] !== 0)
              sums[Math.floor((first + row) / tokens)] = (sums[Math.floor((first + row) / tokens)] ?? 0) + loss;
          });
        }
        await checkComputed(programs, store, batch, sums, hidden.data as Float32Array);
        for (const sum of sums) windowLosses.push(sum / (tokens - 1));
        report(units - batches.length + index + 1);
      }
    } finally {
      for (const state of states) state.dispose();
    }
  }
  return summarise(windowLosses, tokens);
}

/** Mean, perplexity and standard error of window losses in nats. */
export function summarise(windowLosses: readonly number[], window: number): PerplexityResult {
  const count = windowLosses.length;
  const loss = windowLosses.reduce((sum, value) => sum + value, 0) / count;
  const variance = count > 1 ? windowLosses.reduce((sum, value) => sum + (value - loss) ** 2, 0) / (count - 1) : 0;
  const value = Math.exp(loss);
  return {
    perplexity: value,
    standardError: value * Math.sqrt(variance / count),
    loss,
    tokens: count * (window - 1),
    window,
    windows: count,
    windowLosses,
  };
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
