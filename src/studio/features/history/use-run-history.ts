import { useEffect } from 'react';
import { fingerprint } from '../../data/fingerprint.ts';
import { useScores } from '../../data/use-engine.ts';
import { useStudio } from '../../store.ts';
import { measurementKey, useCurrentMeasurements, useMeasuredOn, useMeasureSettings } from '../compare/measurements.ts';
import { ratioKey } from '../compare/sweep.ts';
import { useGivenPlan, usePlan, usePlanSummary } from '../plan/use-plan.ts';
import { makeRun } from './run.ts';

/** A recipe becomes a run when the reader has stayed on it for this long. */
const REST_MILLISECONDS = 600;

/** Writes down what is measured for the recipe at hand. Which run that is stands in the state. */
export function useRunHistory(): void {
  const { data: scores } = useScores();
  const outcome = usePlan();
  const summary = usePlanSummary();
  const recipe = useStudio((state) => state.recipe);
  const measuredOn = useMeasuredOn();
  const addRun = useStudio((state) => state.addRun);
  const settings = useMeasureSettings();
  const measured = useCurrentMeasurements();
  const given = useGivenPlan();
  const plan = outcome?.ok ? outcome.plan : undefined;
  const ratio = plan && ratioKey(plan.ratio);
  const id =
    scores && ratio !== undefined
      ? fingerprint(JSON.stringify(measurementKey({ ratio, what: 'perplexity' }, scores, recipe, settings)))
      : undefined;
  const perplexity = ratio === undefined ? undefined : measured.perplexity.get(ratio);
  const speed = ratio === undefined ? undefined : measured.speed.get(ratio);
  const dense = measured.perplexity.get(0);

  useEffect(() => {
    if (!id || !scores || !plan || !summary || !perplexity || ratio === 0) return;
    const timer = setTimeout(() => {
      addRun(
        makeRun(
          id,
          Date.now(),
          scores,
          plan,
          { ...recipe, ...(plan.recipe.dtype && { dtype: plan.recipe.dtype }) },
          summary,
          {
            measuredOn,
            perplexity,
            ...(dense && { dense }),
            ...(speed && { speed }),
            ...(given && { given: { plan, from: given.from } }),
          },
        ),
      );
    }, REST_MILLISECONDS);
    return () => clearTimeout(timer);
  }, [id, ratio, scores, plan, summary, recipe, perplexity, dense, speed, measuredOn, given, addRun]);

  useEffect(() => {
    useStudio.setState({ presentRun: id });
  }, [id]);
}
