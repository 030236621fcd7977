import { UsageError } from '../errors.ts';
import { divergenceFrom, teach } from '../evaluate/divergence/teacher.ts';
import { perplexity } from '../evaluate/perplexity.ts';
import type { Scores } from '../importance/sums/scores.ts';
import { type MeasuredPlan, searchMeasured } from '../plan/measured.ts';
import type { PlanOptions } from '../plan/plan-options.ts';
import type { LongRunning } from '../progress.ts';
import type { OpenModel } from './open-model.ts';
import { checkScoresFit, exactOptions } from './plan.ts';

/** How plans are searched by measuring. */
export interface RefineOptions extends LongRunning {
  /** Target and constraints as for `makePlan`; `search` is left out. */
  readonly plan: PlanOptions;
  /** Calibration windows that every plan is measured on; a few thousand tokens. */
  readonly windows: readonly ArrayLike<number>[];
  /** What is lowest for the best plan: KL from `open`, or perplexity. Default 'kl': its noise is a fraction of perplexity's, and it is what pruning should keep small. */
  readonly measure?: 'kl' | 'perplexity';
  /** How many plans may be measured beyond the closed-form variants and baselines. Default 20. */
  readonly evaluations?: number;
}

/**
 * Searches the plan whose pruned model is least far from the dense one, or has the lowest loss, on calibration windows (docs/method.md section 4, `measured`): forward passes of the block programs
 * only, nothing is compiled. Throws what `makePlan` throws, MismatchError for scores of another model and CancelledError.
 */
export async function refine(open: OpenModel, scores: Scores, options: RefineOptions): Promise<MeasuredPlan> {
  const { plan, windows, evaluations, measure = 'kl', signal, onProgress } = options;
  if (windows.length === 0) throw new UsageError('There are no windows to measure plans on; give calibration text.');
  checkScoresFit(open, scores);
  const { search: _search, ...asked } = plan;
  const teacher = measure === 'kl' ? await teach(open.programs, open.store, windows, { signal }) : undefined;
  return searchMeasured(scores, exactOptions(open, scores, asked), {
    of: measure,
    signal,
    onProgress,
    ...(evaluations === undefined ? {} : { evaluations }),
    lossOf: async (layers) => {
      using pruned = open.pruned(layers);
      if (teacher) return (await divergenceFrom(pruned.programs, pruned.store, teacher, { signal })).klDivergence;
      return (await perplexity(pruned.programs, pruned.store, windows, { signal })).loss;
    },
  });
}
