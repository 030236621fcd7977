import type { Scores } from '../../../importance/sums/scores.ts';
import type { MethodRecipe } from '../../../plan/methods/method.ts';
import { SCORE_METHODS } from '../../../plan/methods/methods.ts';
import { hasMetrics } from '../../../plan/metric.ts';

/** The methods that scores have the metrics for, all while there are no scores; and those that are chosen already. */
export function offeredMethods(
  scores: Scores | undefined,
  isChosen: (method: MethodRecipe) => boolean,
): readonly MethodRecipe[] {
  return SCORE_METHODS.filter((method) => isChosen(method) || !scores || hasMetrics(scores, method.metric));
}
