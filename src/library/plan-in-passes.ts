import { type Teacher, teach } from '../evaluate/divergence/teacher.ts';
import type { Scores } from '../importance/sums/scores.ts';
import { iterativePlan } from '../plan/iterative.ts';
import type { LayerPlan, Plan } from '../plan/plan.ts';
import type { PlanOptions } from '../plan/plan-options.ts';
import type { OnProgress } from '../progress.ts';
import type { OpenModel } from './open-model.ts';
import { exactOptions } from './plan.ts';
import { type ScoreOptions, score } from './score.ts';

/** How a plan is made in passes. */
export interface PlanInPassesOptions extends ScoreOptions {
  /** Parts in which the groups are removed. */
  readonly passes: number;
  /** What is to be reached, and how groups are ranked. */
  readonly plan: PlanOptions;
  /** Passes after the first take the gradient of KL from the dense model, in place of `objective`. Default false. */
  readonly teacherAfterFirst?: boolean;
  /** Scores of the dense model on these windows, where they are known already. */
  readonly scores?: Scores | undefined;
}

/** Plans by pruning in passes: score, remove a part, score what is left (`iterativePlan`). The plan is for `open`, which stays as it is. */
export async function planInPasses(open: OpenModel, options: PlanInPassesOptions): Promise<Plan> {
  const { passes, plan, signal, onProgress } = options;
  let teacher: Promise<Teacher> | undefined;
  const scoresOf = async (model: OpenModel, pass: number, objective = options.objective) => {
    const telling = { ...options, onProgress: inPass(onProgress, pass, passes), ...(objective && { objective }) };
    return (await score(model, telling)).scores;
  };
  const dense = options.scores ?? (await scoresOf(open, 0));
  return iterativePlan({
    passes,
    plan: exactOptions(open, dense, plan),
    signal,
    scoresOf: async (layers: readonly LayerPlan[] | undefined, pass) => {
      if (!layers) return dense;
      if (options.teacherAfterFirst) teacher ??= teach(open.programs, open.store, options.windows, { signal });
      using pruned = open.pruned(layers);
      const objective = teacher ? ({ kind: 'teacher', teacher: await teacher } as const) : options.objective;
      return await scoresOf(pruned, pass, objective);
    },
  });
}

/** Names the pass in the stage, so that each pass is a stage of its own. */
function inPass(onProgress: OnProgress | undefined, pass: number, passes: number): OnProgress | undefined {
  return (
    onProgress && ((progress) => onProgress({ ...progress, stage: `${progress.stage}, pass ${pass + 1} of ${passes}` }))
  );
}
