import { onProcessor } from '../library/create-runtime.ts';
import type { ScoreOptions } from '../library/score.ts';
import { type PrecisionChoice, precisionsFor } from '../library/score-precision.ts';
import type { Runtime } from '../runtime/runtime.ts';

/** Drivers can be wrong in half precision without an error: one layer of one window is compared with the processor then. Throws what `precisionsFor` throws. */
export function halfPrecisionCheck(runtime: Runtime, precision: PrecisionChoice): ScoreOptions['crossCheck'] {
  const [first] = precisionsFor(runtime, precision, true);
  return first === 'f16' ? { start: () => onProcessor({}, () => undefined) } : undefined;
}
