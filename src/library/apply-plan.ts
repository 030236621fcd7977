import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { MismatchError, UsageError } from '../errors.ts';
import type { LayerPlan } from '../plan/plan.ts';
import type { LongRunning } from '../progress.ts';
import { type Compensation, compensate } from '../surgery/compensate.ts';
import type { OpenModel } from './open-model.ts';

/** How a model is pruned by a plan, and repaired. */
export interface ApplyPlanOptions extends LongRunning {
  /** Repair of the output projections (docs/method.md section 5). Default 'none'. */
  readonly compensate?: 'none' | Compensation;
  /** Windows for compensation; more than scoring needs are good (docs/method.md section 5). */
  readonly windows?: readonly ArrayLike<number>[];
  /** Ridge of 'least-squares', relative to the mean diagonal. Default 0.001. */
  readonly lambda?: number;
}

/** The pruned model that a plan describes, compensated where asked for. Owned by the caller. Throws MismatchError for a plan of another model. */
export async function applyPlan(
  open: OpenModel,
  layers: readonly LayerPlan[],
  options: ApplyPlanOptions = {},
): Promise<OpenModel> {
  return open.withCheckpoint(await prunedCheckpoint(open, layers, options));
}

async function prunedCheckpoint(
  open: OpenModel,
  layers: readonly LayerPlan[],
  options: ApplyPlanOptions,
): Promise<Checkpoint> {
  const { compensate: compensation = 'none', windows, lambda, signal, onProgress } = options;
  if (compensation === 'none') {
    using pruned = open.pruned(layers);
    return pruned.model.checkpoint;
  }
  if (!windows || windows.length === 0)
    throw new UsageError(
      `Compensation "${compensation}" needs calibration text; give --calibration FILE or choose --compensate none.`,
    );
  if (layers.length !== open.config.layers)
    throw new MismatchError(`The plan has ${layers.length} layers and the model ${open.config.layers}.`);
  return compensate(open.programs, open.store, layers, windows, {
    compensation,
    structuresOf: open.structuresOf,
    signal,
    onProgress,
    ...(lambda === undefined ? {} : { lambda }),
  });
}
