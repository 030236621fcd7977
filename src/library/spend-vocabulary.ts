import { throwIfCancelled, UsageError } from '../errors.ts';
import { tokenWindows } from '../evaluate/token-windows.ts';
import type { Scores } from '../importance/sums/scores.ts';
import type { Plan } from '../plan/plan.ts';
import type { PlanOptions } from '../plan/plan-options.ts';
import type { LongRunning } from '../progress.ts';
import { evaluate } from './evaluate.ts';
import type { OpenModel } from './open-model.ts';
import { planFor } from './plan.ts';
import { trimVocabulary } from './vocabulary.ts';

/** Shares of the vocabulary that are tried. */
const SHARES = ['1', '0.75', '0.5', '0.375', '0.25'] as const;

/** A target met with one size of the vocabulary. */
export interface VocabularyTrial {
  /** Tokens that stayed. */
  readonly tokens: number;
  /** Share of the attention and MLP weights that went beside it. */
  readonly ratio: number;
  readonly bitsPerByte: number;
}

export interface SpendVocabularyOptions extends LongRunning {
  /** With a target in parameters, bytes or memory. */
  readonly plan: PlanOptions;
  /** Text that tokens are chosen by, as windows of token ids. */
  readonly windows: readonly ArrayLike<number>[];
  /** Other text, which the pruned models are measured on. */
  readonly measureWindows: readonly ArrayLike<number>[];
}

/** The best plan, whose recipe says how much of the vocabulary stays, with all that was tried for it. */
export interface SpentVocabulary {
  readonly plan: Plan;
  readonly trials: readonly VocabularyTrial[];
}

/**
 * Meets a target with several sizes of the vocabulary, each with as many groups removed as that leaves to do, and takes the one that needs the fewest bits for a byte of text.
 * Sizes with which the target cannot be met, or that cannot spell every text, are passed over. Throws UsageError for a target as a ratio, which counts attention and MLP
 * alone, and where no size meets the target.
 */
export async function spendVocabulary(
  open: OpenModel,
  scores: Scores,
  { plan: asked, windows, measureWindows, signal, onProgress }: SpendVocabularyOptions,
): Promise<SpentVocabulary> {
  if (asked.target.kind === 'ratio')
    throw new UsageError(
      'A vocabulary is spent for a target in parameters, bytes or memory; a ratio counts attention and MLP alone. Give --parameters or --bytes, or a size such as --vocabulary 0.5.',
    );
  const length = measureWindows[0]?.length ?? 0;
  const tokenizer = await open.tokenizer();
  const text = measureWindows.map((window) => tokenizer.decode(Array.from(window))).join('');
  const trials: VocabularyTrial[] = [];
  let best: { readonly plan: Plan; readonly bitsPerByte: number } | undefined;
  let refusal: unknown;
  for (const [index, keep] of SHARES.entries()) {
    throwIfCancelled(signal);
    onProgress?.({ stage: 'sizes of the vocabulary', completed: index, total: SHARES.length, unit: 'steps' });
    try {
      const plan = planFor(open, scores, { ...asked, ...(keep !== '1' && { vocabulary: keep }) });
      using pruned = open.pruned(plan.layers);
      const trimmed = keep === '1' ? undefined : await trimVocabulary(pruned, { keep, windows, signal });
      using smaller = trimmed?.model;
      const measured = smaller ?? pruned;
      const ids = (await measured.tokenizer()).encode(text, { addSpecialTokens: false });
      const { bitsPerByte = Number.POSITIVE_INFINITY } = await evaluate(measured, {
        windows: tokenWindows(ids, { length }),
        signal,
      });
      trials.push({ tokens: measured.config.vocabulary, ratio: plan.ratio, bitsPerByte });
      if (!best || bitsPerByte < best.bitsPerByte) best = { plan, bitsPerByte };
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      refusal = error;
    }
  }
  onProgress?.({ stage: 'sizes of the vocabulary', completed: SHARES.length, total: SHARES.length, unit: 'steps' });
  if (!best) throw refusal;
  return { plan: best.plan, trials };
}
