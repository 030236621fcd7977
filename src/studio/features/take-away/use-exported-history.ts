import { useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { fingerprint } from '../../data/fingerprint.ts';
import { useStudio } from '../../store.ts';
import { exportedKey, useMeasuredOn, useMeasureSettings } from '../compare/measurements.ts';
import { useJobs } from '../frame/jobs.tsx';
import { makeRun } from '../history/run.ts';
import { planSummary } from '../plan/plan-outcome.ts';

/** Writes down what a built file gave in its own number format: for the figures, and as a line of the history. */
export function useExportedHistory(): void {
  const client = useQueryClient();
  const { data } = useJobs().exporting;
  const addRun = useStudio((state) => state.addRun);
  const settings = useMeasureSettings();
  const measuredOn = useMeasuredOn();
  useEffect(() => {
    const perplexity = data?.exported.perplexity;
    if (!data || !perplexity) return;
    const { plan, scores, dtype } = data;
    const { recipe } = useStudio.getState();
    const key = exportedKey(plan.ratio, dtype, scores, recipe, settings);
    if (client.getQueryData(key) !== undefined) return;
    client.setQueryData(key, perplexity);
    const exported = { ...plan, recipe: { ...plan.recipe, dtype } };
    const run = makeRun(
      fingerprint(JSON.stringify(key)),
      Date.now(),
      scores,
      exported,
      { ...recipe, dtype },
      planSummary(scores, exported),
      { measuredOn: `${measuredOn}, the built ${dtype} file`, perplexity },
    );
    addRun(run);
  }, [client, data, settings, measuredOn, addRun]);
}
