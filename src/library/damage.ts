import { DenseReference } from '../evaluate/divergence/dense-reference.ts';
import { perplexity } from '../evaluate/perplexity.ts';
import type { LongRunning } from '../progress.ts';
import type { OpenModel } from './open-model.ts';

/** What pruning did to a model, on some text: how far it is from the dense one, and its perplexity. */
export interface Damage {
  /** KL from the dense model in nats a token, its standard error over windows, and the share of predictions with the same most probable token. */
  readonly klDivergence: number;
  /** Of the mean, over windows. */
  readonly klStandardError: number;
  /** Share of equal most probable tokens. */
  readonly top1Agreement: number;
  /** Of the pruned model on the same windows. */
  readonly perplexity: number;
  /** Predictions. */
  readonly tokens: number;
}

/** Measures a pruned model beside the dense one that it was made of. Throws what `checkWindows` throws. */
export async function damage(
  dense: OpenModel,
  pruned: OpenModel,
  windows: readonly ArrayLike<number>[],
  options: LongRunning = {},
): Promise<Damage> {
  const against = await DenseReference.of(dense.programs, dense.store, windows, options);
  const result = await perplexity(pruned.programs, pruned.store, windows, { against, ...options });
  const { klDivergence = Number.NaN, klStandardError = Number.NaN, top1Agreement = Number.NaN } = result;
  return { klDivergence, klStandardError, top1Agreement, perplexity: result.perplexity, tokens: result.tokens };
}

/** For a model card. */
export function damageFigures({ klDivergence, top1Agreement, tokens }: Damage): Readonly<Record<string, string>> {
  return {
    [`KL from the dense model, nats a token (${tokens} predictions)`]: klDivergence.toFixed(4),
    'Same most probable token as the dense model': `${(100 * top1Agreement).toFixed(1)}%`,
  };
}

/** For people. */
export function damageSentence({ klDivergence, klStandardError, top1Agreement, tokens }: Damage): string {
  return `From the dense model on ${tokens} predictions: KL ${klDivergence.toFixed(4)} ± ${klStandardError.toFixed(4)} nats a token, the same most probable token at ${(100 * top1Agreement).toFixed(1)}%.`;
}
