import type { LongRunning } from '../progress.ts';
import type { ContextGroup } from './tasks-encode.ts';

/** Something that tells how likely texts are: block programs or a decoder. */
export interface LikelihoodModel {
  /** Fed tokens that are worth handing over at once; more only makes progress and cancellation coarser. */
  readonly passTokens: number;
  /**
   * Sum of the log-probabilities in nats of each continuation's tokens after its context: [groups][continuations].
   * Progress counts groups. Throws CancelledError when the signal fires.
   */
  logLikelihoods(groups: readonly ContextGroup[], options?: LongRunning): Promise<number[][]>;
}
