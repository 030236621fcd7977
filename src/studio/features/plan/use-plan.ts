import { useEffect, useState } from 'react';
import type { Scores } from '../../../importance/sums/scores.ts';
import { useScores } from '../../data/use-engine.ts';
import { useStudio } from '../../store.ts';
import type { Dtype } from '../take-away/source-dtype.ts';
import { useDtype } from '../take-away/use-dtype.ts';
import { givenOutcome, type PlanOutcome, planOutcome, planSummary } from './plan-outcome.ts';
import type { GivenPlan, RecipeChoices } from './slice.ts';

/** Remembers the last call by the identity of its arguments: several panels ask for the same plan in one frame. */
function rememberLast<Arguments extends readonly unknown[], Result>(
  compute: (...given: Arguments) => Result,
): (...given: Arguments) => Result {
  let last: { readonly given: Arguments; readonly result: Result } | undefined;
  return (...given) => {
    if (!last || given.some((value, index) => value !== last?.given[index]))
      last = { given, result: compute(...given) };
    return last.result;
  };
}

const currentPlan = rememberLast(planOutcome);
const takenPlan = rememberLast(givenOutcome);
const currentSummary = rememberLast(planSummary);

/** The plan for the present recipe; undefined until there are scores. Made on the spot, in the frame of the change. */
export function usePlan(): PlanOutcome | undefined {
  const { data: scores } = useScores();
  const recipe = useStudio((state) => state.recipe);
  const given = useGivenPlan();
  const dtype = useDtype();
  if (!scores) return undefined;
  return given ? takenPlan(scores, given.plan, recipe, dtype) : currentPlan(scores, recipe, dtype);
}

/** The groups that were given for the present recipe and model; undefined where it is planned from the scores. */
export function useGivenPlan(): GivenPlan | undefined {
  const { data: scores } = useScores();
  return useStudio(({ given, recipe }) =>
    given && given.of === recipe && given.model === scores?.model.sha256 ? given : undefined,
  );
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

/** The ratio to show: what was asked for, or what another target comes to. */
export function useRatio(): number {
  const outcome = usePlan();
  const target = useStudio((state) => state.recipe.target);
  return target.kind === 'ratio' ? target.value : outcome?.ok ? outcome.plan.ratio : 0;
}

/** Halvings on the way to the largest ratio: to a tenth of a percent. */
const HALVINGS = 10;

const largestRatio = rememberLast((scores: Scores, recipe: string, dtype: Dtype, limit: number): number => {
  const options = JSON.parse(recipe) as Omit<RecipeChoices, 'target'>;
  const isReached = (value: number) => planOutcome(scores, { ...options, target: { kind: 'ratio', value } }, dtype).ok;
  if (isReached(limit)) return 1;
  let [low, high] = [0, limit];
  for (let halving = 0; halving < HALVINGS; halving += 1) {
    const middle = (low + high) / 2;
    if (isReached(middle)) low = middle;
    else high = middle;
  }
  return low;
});

/** The largest ratio up to `limit` that the present recipe reaches, looked for when the reader rests; 1 where nothing is in the way, and until it is known. */
export function useReach(limit: number): number {
  const { data: scores } = useScores();
  const dtype = useDtype();
  // The ratio does not matter to it: a slider's moves do not ask again.
  const fixed = useStudio(({ recipe: { target: _target, measured: _measured, ...rest } }) => JSON.stringify(rest));
  const [reach, setReach] = useState(1);
  useEffect(() => {
    if (!scores) return;
    const timer = setTimeout(() => setReach(largestRatio(scores, fixed, dtype, limit)), REST_MILLISECONDS);
    return () => clearTimeout(timer);
  }, [scores, fixed, dtype, limit]);
  return reach;
}
