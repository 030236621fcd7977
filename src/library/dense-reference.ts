import { DenseReference } from '../evaluate/divergence/dense-reference.ts';
import type { LongRunning } from '../progress.ts';
import type { OpenModel } from './open-model.ts';

/**
 * What comparisons need of the dense model on some windows, computed once: for `evaluate` of several models on the same ones. The model must stay open as long.
 * Throws UsageError for windows that are none.
 */
export function denseReference(
  dense: OpenModel,
  windows: readonly ArrayLike<number>[],
  options: LongRunning = {},
): Promise<DenseReference> {
  return DenseReference.of(dense.programs, dense.store, windows, options);
}
