import type { Scores } from '../importance/sums/scores.ts';
import { iterativePlan } from '../plan/iterative.ts';
import type { LayerPlan, Plan } from '../plan/plan.ts';
import type { PlanOptions } from '../plan/plan-options.ts';
import type { OnProgress } from '../progress.ts';
import type { OpenModel } from './open-model.ts';
import { type ScoreOptions, score } from './score.ts';

export interface PlanInPassesOptions extends ScoreOptions {
  readonly passes: number;
  readonly plan: PlanOptions;
  /** Scores of the dense model on these windows, where they are known already. */
  readonly scores?: Scores | undefined;
}

/** Plans by pruning in passes: score, remove a part, score what is left (`iterativePlan`). The plan is for `open`, which stays as it is. */
export async function planInPasses(open: OpenModel, options: PlanInPassesOptions): Promise<Plan> {
  const { passes, plan, scores: known, signal, onProgress } = options;
  return iterativePlan({
    passes,
    plan,
    signal,
    scoresOf: async (layers: readonly LayerPlan[] | undefined, pass) => {
      if (!layers && known) return known;
      const telling = { ...options, onProgress: inPass(onProgress, pass, passes) };
      if (!layers) return (await score(open, telling)).scores;
      using pruned = open.pruned(layers);
      return (await score(pruned, telling)).scores;
    },
  });
}

/** Names the pass in the stage, so that each pass is a stage of its own. */
function inPass(onProgress: OnProgress | undefined, pass: number, passes: number): OnProgress | undefined {
  return (
    onProgress && ((progress) => onProgress({ ...progress, stage: `${progress.stage}, pass ${pass + 1} of ${passes}` }))
  );
}
