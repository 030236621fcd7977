import { useEffect, useState } from 'react';
import type { Scores } from '../../../importance/sums/scores.ts';
import { useScores } from '../../data/use-engine.ts';
import { useStudio } from '../../store.ts';
import { type PlanOutcome, planOutcome, planSummary } from './plan-outcome.ts';
import type { RecipeChoices } from './slice.ts';

/** Remembers the last call by the identity of its two arguments: several panels ask for the same plan in one frame. */
function rememberLast<A, B, Result>(compute: (a: A, b: B) => Result): (a: A, b: B) => Result {
  let last: { readonly a: A; readonly b: B; readonly result: Result } | undefined;
  return (a, b) => {
    if (!last || last.a !== a || last.b !== b) last = { a, b, result: compute(a, b) };
    return last.result;
  };
}

const currentPlan = rememberLast((scores: Scores, recipe: RecipeChoices): PlanOutcome => planOutcome(scores, recipe));
const currentSummary = rememberLast(planSummary);

/** The plan for the present recipe; undefined until there are scores. Made on the spot, in the frame of the change. */
export function usePlan(): PlanOutcome | undefined {
  const { data: scores } = useScores();
  const recipe = useStudio((state) => state.recipe);
  return scores && currentPlan(scores, recipe);
}

/** Reading and drawing that may lag behind a slider waits this long. */
const REST_MILLISECONDS = 250;

/** The plan once the reader has rested on it: for panels that look things up for a plan, which must not happen at every move of the slider. */
export function useRestedPlan(): PlanOutcome | undefined {
  const present = usePlan();
  const [rested, setRested] = useState(present);
  useEffect(() => {
    const timer = setTimeout(() => setRested(present), REST_MILLISECONDS);
    return () => clearTimeout(timer);
  }, [present]);
  return rested;
}

/** What the present plan removes, counted; undefined without one. */
export function usePlanSummary() {
  const { data: scores } = useScores();
  const outcome = usePlan();
  return scores && outcome?.ok ? currentSummary(scores, outcome.plan) : undefined;
}
