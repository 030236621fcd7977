import { headRows, nextTokenTargets, rowChunks } from '../architecture/forward.ts';
import { checkComputed } from '../architecture/not-finite.ts';
import type { Programs } from '../architecture/programs.ts';
import type { WeightStore } from '../architecture/weight-store.ts';
import type { LongRunning } from '../progress.ts';
import type { DenseReference, Divergence } from './divergence/dense-reference.ts';
import { visitFinalStates } from './final-states.ts';
import { checkWindows } from './token-windows.ts';

/** The figures of `Divergence` are there where another model was given to compare with. */
export interface PerplexityResult extends Partial<Divergence> {
  /** exp of the mean loss. */
  readonly perplexity: number;
  /** Of the perplexity, over windows, by the delta method: perplexity * standard deviation of window losses / sqrt(windows). */
  readonly standardError: number;
  /** Mean cross-entropy in nats over all predictions. */
  readonly loss: number;
  /** Predictions that the mean is taken over. */
  readonly tokens: number;
  /** Tokens per window. */
  readonly window: number;
  /** How many windows. */
  readonly windows: number;
  /** Mean loss of each window, for paired comparisons. */
  readonly windowLosses: readonly number[];
  /** Bits that the model needs for a byte of text (`bitsPerByte`), where a tokenizer tells the windows' text. */
  readonly bitsPerByte?: number;
}

export interface PerplexityOptions extends LongRunning {
  /** The dense model on the same windows: how far this one is from it is measured too. */
  readonly against?: DenseReference | undefined;
}

/**
 * Perplexity over equally long windows of token ids (docs/method.md section 8): exp of the mean cross-entropy over window - 1 predictions each.
 * Throws UsageError for windows shorter than 2 tokens, MismatchError for ids outside the vocabulary and DeviceError for losses that are no finite numbers.
 */
export async function perplexity(
  programs: Programs,
  store: WeightStore,
  windows: readonly ArrayLike<number>[],
  options: PerplexityOptions = {},
): Promise<PerplexityResult> {
  const { vocabulary } = store.model.architecture.config;
  const tokens = checkWindows(windows, vocabulary);
  const tally = options.against?.tally();
  const windowLosses: number[] = [];
  await visitFinalStates(programs, store, windows, { ...options, stage: 'perplexity' }, async (states) => {
    using weights = await store.lease('head');
    const { targets, weights: rowWeights } = nextTokenTargets(states.windows);
    const sums = new Float64Array(states.windows.length);
    for (const { start: first, chunk } of rowChunks(states.hidden, headRows(vocabulary))) {
      const count = chunk.shape[0] ?? 0;
      const own = targets.subarray(first, first + count);
      const { losses, logits } = tally
        ? await programs.lossesAndLogits(weights, chunk, own)
        : { losses: await programs.losses(weights, chunk, own), logits: undefined };
      using kept = logits;
      losses.forEach((loss, row) => {
        if (rowWeights[first + row] !== 0)
          sums[Math.floor((first + row) / tokens)] = (sums[Math.floor((first + row) / tokens)] ?? 0) + loss;
      });
      if (kept) await tally?.add(states.first + Math.floor(first / tokens), first % tokens, kept);
    }
    await checkComputed(programs, store, states.windows, sums);
    for (const sum of sums) windowLosses.push(sum / (tokens - 1));
  });
  return { ...summarise(windowLosses, tokens), ...tally?.result() };
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
