import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { CancelledError } from '../../../errors.ts';
import { studioEngine } from '../../data/engine.ts';
import { fingerprint } from '../../data/fingerprint.ts';
import { readText, useScores } from '../../data/use-engine.ts';
import { useStudio } from '../../store.ts';
import { type RecoveredMeasurement, recoveredKey, useMeasuredOn, useMeasureSettings } from '../compare/measurements.ts';
import { makeRun } from '../history/run.ts';
import { trainingFingerprint } from '../plan/plan-fingerprint.ts';
import { planSummary } from '../plan/plan-outcome.ts';
import { recoveryMethodName } from './slice.ts';
import { RECOVERED_DTYPES } from './use-recovery.ts';

/**
 * Measures the recovered model on the text that the others are measured on, once there is one and when that text changes, and writes it down for the chart and
 * the history. Why it failed is put into the state.
 */
export function useRecoveredHistory(): void {
  const client = useQueryClient();
  const { data: scores } = useScores();
  const recovered = useStudio((state) => state.recovered);
  const measureText = useStudio((state) => state.measureText);
  const addRun = useStudio((state) => state.addRun);
  const settings = useMeasureSettings();
  const measuredOn = useMeasuredOn();
  const { textKey, measureWindows: windows, measureLength: length } = settings;
  const { data: perplexity, error } = useQuery({
    queryKey: ['recovered', recovered?.at, textKey, windows, length],
    enabled: recovered !== undefined,
    queryFn: async ({ signal }) => {
      if (!recovered) throw new CancelledError();
      const text = await readText(client, measureText, 'evaluation');
      return (await studioEngine()).evaluate(
        recovered.plan,
        { text, windows, length, repair: { recovered: recovered.result.recovered } },
        { signal },
      );
    },
  });

  useEffect(() => {
    if (!recovered || !scores || !perplexity) return;
    const { plan, recipe, name, method, at, result } = recovered;
    const measurement: RecoveredMeasurement = { name, ratio: plan.ratio, perplexity };
    client.setQueryData(recoveredKey(recovered, scores, settings), measurement);
    const dtype = RECOVERED_DTYPES[method];
    const summary = planSummary(scores, { ...plan, recipe: { ...plan.recipe, dtype } });
    const id = fingerprint(JSON.stringify([trainingFingerprint(recovered), measuredOn]));
    const run = makeRun(id, at, scores, plan, { ...recipe, dtype }, summary, { measuredOn, perplexity });
    addRun({
      ...run,
      recovered: { method: recoveryMethodName(method), bestStep: result.bestStep, steps: result.steps },
    });
  }, [client, recovered, scores, perplexity, settings, measuredOn, addRun]);

  const failure = error && error.name !== 'CancelledError' ? error.message : undefined;
  useEffect(() => {
    useStudio.setState({ recoveredFailure: failure });
  }, [failure]);
}
