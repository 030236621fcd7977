import type { ExportDataType } from '../decoder/dtypes.ts';

/** What is allowed, differences as a share of the largest absolute reference logit. */
export interface Bounds {
  /** Largest difference of a logit. */
  readonly largest: number;
  /** Over all logits. */
  readonly rootMeanSquare: number;
  /** Smallest share of positions with the same most probable token. In f32, positions where the two are closer together than the difference found count as the same. */
  readonly agreement: number;
  /** Largest mean of KL(model || written model) over positions of text, in nats. */
  readonly divergence: number;
}

/**
 * Stated bounds per number format, against the model itself. f32 differs by the order of summation only. The others differ by the rounding
 * of their weights: a single logit can be far off where a model has very large activations, so the mean and the agreement tell more
 * (SmolLM2-135M: f16 0.0006 and 99%, q8 0.008 and 96%, q4 0.08 and 73%). A divergence of 0.25 nats makes a perplexity about a fifth larger.
 */
export const VERIFICATION_BOUNDS: Readonly<Record<ExportDataType, Bounds>> = {
  f32: { largest: 1e-3, rootMeanSquare: 1e-4, agreement: 1, divergence: 1e-5 },
  f16: { largest: 0.1, rootMeanSquare: 0.01, agreement: 0.97, divergence: 0.01 },
  q8: { largest: 1, rootMeanSquare: 0.06, agreement: 0.85, divergence: 0.05 },
  q4: { largest: 2, rootMeanSquare: 0.2, agreement: 0.6, divergence: 0.25 },
};
