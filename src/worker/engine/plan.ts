import type { Scores } from '../../importance/sums/scores.ts';
import { planFor } from '../../library/plan.ts';
import { refine } from '../../library/refine.ts';
import type { Plan } from '../../plan/plan.ts';
import type { PlanOptions } from '../../plan/plan-options.ts';
import type { LongRunning } from '../../progress.ts';
import type { Bench } from './bench.ts';
import type { Calibration } from './repaired-models.ts';

/** A plan to start from, and the calibration windows that pruned models are measured on. */
export interface RefineRequest extends Calibration {
  readonly scores: Scores;
  /** Target and constraints; its search is left out. */
  readonly options: PlanOptions;
  /** Plans to measure beyond the closed-form searches and the baselines. */
  readonly evaluations: number;
}

/** The best plan that was measured, and the mean loss in nats of every one of them in order; the first `candidates` are closed-form. */
export interface Refinement {
  readonly plan: Plan;
  readonly loss: number;
  readonly measurements: readonly { readonly name: string; readonly loss: number }[];
  readonly candidates: number;
}

export interface PlanCalls {
  /** Searches the plan with the lowest measured loss on calibration windows (docs/method.md section 4, `measured`). */
  refine(request: RefineRequest, options?: LongRunning): Promise<Refinement>;
  /** A plan whose export stays within a target in bytes or memory to the byte: scores alone estimate the layout of an export, the open model knows it. */
  fit(scores: Scores, options: PlanOptions): Promise<Plan>;
}

export function planCalls(bench: Bench): PlanCalls {
  return {
    refine: ({ scores, options: plan, evaluations, ...calibration }, options = {}) =>
      bench.heavy(async () => {
        const found = await refine(bench.model, scores, {
          plan,
          windows: await bench.drawn({ ...calibration, seed: calibration.seed + 1 }),
          evaluations,
          ...options,
        });
        return { ...found, measurements: found.measurements.map(({ name, loss }) => ({ name, loss })) };
      }, options),

    fit: async (scores, options) => planFor(bench.model, scores, options),
  };
}
