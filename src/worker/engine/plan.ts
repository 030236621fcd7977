import { sha256OfText } from '../../checkpoint/files/sha256.ts';
import type { Scores } from '../../importance/sums/scores.ts';
import { calibrationOf } from '../../library/calibration.ts';
import { planFor } from '../../library/plan.ts';
import { planInPasses } from '../../library/plan-in-passes.ts';
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

/** What a plan in passes starts from, and the calibration text that is scored on after each part. */
export interface PassesRequest extends Calibration {
  /** Of the dense model on the same windows, so that the first pass is known. */
  readonly scores: Scores;
  readonly options: PlanOptions;
  /** Parts of equal size, 2 or more. */
  readonly passes: number;
  /** Shown as the calibration's source. */
  readonly source: string;
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
  /** Removes a part, scores what is left, and so on (docs/method.md section 6, "several passes"). */
  planInPasses(request: PassesRequest, options?: LongRunning): Promise<Plan>;
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

    planInPasses: ({ scores, options: plan, passes, text, source, windows, length, seed }, options = {}) =>
      bench.heavy(async () => {
        const tokenIds = await bench.tokenIds(text);
        const sha256 = await sha256OfText(text);
        const calibration = calibrationOf({ tokenIds, source, sha256, length, seed }, { count: windows });
        // Shipped scores, and those of another run, may be of other windows: then the first pass is scored too.
        const { calibration: of } = scores;
        const isSame = of.sha256 === sha256 && of.windows === calibration.windows.length && of.length === length;
        return planInPasses(bench.model, {
          ...{ ...calibration, ...options, passes, plan },
          scores: isSame && of.seed === seed ? scores : undefined,
        });
      }, options),

    fit: async (scores, options) => planFor(bench.model, scores, options),
  };
}
