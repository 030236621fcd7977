import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';
import { CancelledError } from '../../errors.ts';
import type { Plan } from '../../surgery/plan.ts';
import type { ExportRequest } from '../../worker/engine.ts';
import { formatPercent } from '../parts/format.ts';
import { type RecoveredColumn, type RecoveryMethod, type RecoveryRun, rateOf, recoveryMethodName } from '../state/recovery-slice.ts';
import { useStudio } from '../state/store.ts';
import { studioEngine } from './engine.ts';
import { useMeasureSettings } from './measurements.ts';
import { repairFor, repairSuffix } from './repair.ts';
import { readText } from './use-engine.ts';

/** The training of a pruned model. `cancel` ends it and keeps the best so far; before the first measurement nothing is kept. */
export function useRecovery() {
  const client = useQueryClient();
  const controller = useRef<AbortController>(undefined);
  const run = async (plan: Plan) => {
    const { beginTask, reportTask, endTask, setRecovery, setRecoveryRun, addRecoveryStep, setPane, opening, ...chosen } = useStudio.getState();
    const { recoverText, recoverMethod: method, recoverSteps: steps, recoverRates, recoverBatch, recoverLength } = chosen;
    controller.current?.abort();
    controller.current = new AbortController();
    const { signal } = controller.current;
    const started: Omit<RecoveryRun, 'state'> = { of: `${formatPercent(plan.ratio)} removed${repairSuffix(plan.recipe)}`, plan, method, steps, progress: [] };
    /** A run of a model that is no longer on the bench has nobody to tell. */
    const end = (state: RecoveryRun['state']) => {
      const { recoveryRun } = useStudio.getState();
      if (useStudio.getState().opening === opening && recoveryRun) setRecoveryRun({ ...recoveryRun, state });
    };
    setRecoveryRun({ ...started, state: { status: 'running' } });
    beginTask('recover');
    try {
      const engine = await studioEngine();
      const [text, repair] = [await readText(client, recoverText, 'calibration'), await repairFor(client, plan)];
      const result = await engine.recover(
        plan,
        {
          ...{ text, length: recoverLength, steps, batchWindows: recoverBatch, learningRate: recoverRates[rateOf(method)], seed: 0, repair },
          ...(method === 'lora' ? { method, bits: 4 } : { method: 'group-wise', bits: method === 'group-wise-4' ? 4 : 8 }),
        },
        { signal, onStep: addRecoveryStep, onProgress: (progress) => reportTask('recover', { ...progress, stage: 'training' }) },
      );
      end({ status: 'done', result });
      if (useStudio.getState().opening !== opening) return;
      setRecovery({ recovered: { plan, method, result, name: `${started.of}, ${recoveryMethodName(method)}` } });
      setPane('recovered', { status: 'idle' });
    } catch (error) {
      if (error instanceof CancelledError) end({ status: 'stopped' });
      else end({ status: 'failed', message: error instanceof Error ? error.message : String(error) });
    } finally {
      endTask('recover');
    }
  };
  return { run, cancel: () => controller.current?.abort() };
}

/** Perplexity of the recovered model on the text that the others are measured on; measured when there is one. */
export function useRecoveredPerplexity() {
  const client = useQueryClient();
  const recovered = useStudio((state) => state.recovered);
  const measureText = useStudio((state) => state.measureText);
  const { textKey, measureWindows: windows, measureLength: length } = useMeasureSettings();
  const { data } = useQuery({
    queryKey: ['recovered', recovered?.result.recovered, textKey, windows, length],
    enabled: recovered !== undefined,
    queryFn: async ({ signal }) => {
      if (!recovered) throw new CancelledError();
      const text = await readText(client, measureText, 'evaluation');
      return (await studioEngine()).evaluate(recovered.plan, { text, windows, length, repair: { recovered: recovered.result.recovered } }, { signal });
    },
  });
  return recovered && data ? { ratio: recovered.plan.ratio, perplexity: data } : undefined;
}

/** In which numbers a recovered model is exported: those that its weights have already. */
export const RECOVERED_DTYPES: Readonly<Record<RecoveryMethod, ExportRequest['dtype']>> = { 'group-wise-4': 'q4', 'group-wise-8': 'q8', lora: 'f32' };

/** Builds, verifies and packs the recovered model. */
export function useRecoveredExport() {
  const client = useQueryClient();
  const controller = useRef<AbortController>(undefined);
  const mutation = useMutation({
    mutationFn: async ({ plan, method, result }: RecoveredColumn) => {
      const { beginTask, reportTask, endTask, measureText } = useStudio.getState();
      controller.current = new AbortController();
      const { signal } = controller.current;
      beginTask('export');
      try {
        const text = await readText(client, measureText, 'evaluation');
        const engine = await studioEngine();
        const request = { dtype: RECOVERED_DTYPES[method], text, repair: { recovered: result.recovered } };
        return { of: result, exported: await engine.export(plan, request, { signal, onProgress: (progress) => reportTask('export', progress) }) };
      } finally {
        endTask('export');
      }
    },
  });
  return { ...mutation, cancel: () => controller.current?.abort() };
}
