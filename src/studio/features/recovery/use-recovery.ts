import { type QueryClient, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';
import { useShallow } from 'zustand/react/shallow';
import { CancelledError } from '../../../errors.ts';
import type { Plan } from '../../../plan/plan.ts';
import type { Progress } from '../../../progress.ts';
import type { ExportRequest, KeptTraining, RecoverRequest } from '../../../worker/engine.ts';
import { studioEngine } from '../../data/engine.ts';
import { textKey } from '../../data/text.ts';
import { readText, useModel } from '../../data/use-engine.ts';
import { formatPercent } from '../../parts/format.ts';
import { useStudio } from '../../store.ts';
import { planFingerprint } from '../plan/plan-fingerprint.ts';
import { repairFor, repairKey, repairSuffix } from '../plan/repair.ts';
import { useRestedPlan } from '../plan/use-plan.ts';
import {
  isFinished,
  type RecoveredColumn,
  type RecoveryMethod,
  type RecoveryRun,
  rateOf,
  recoveryMethodName,
} from './slice.ts';

/** What the engine is asked for: the training of a plan with the settings of the panel. */
async function recoverRequest(client: QueryClient, plan: Plan): Promise<RecoverRequest> {
  const {
    recoverText,
    recoverMethod: method,
    recoverLoss: loss,
    recoverSteps: steps,
    recoverRates,
    recoverBatch,
    recoverLength,
    recoverSeed,
    recoverDetails,
  } = useStudio.getState();
  const [text, repair] = [await readText(client, recoverText, 'calibration'), await repairFor(client, plan)];
  return {
    ...{
      text,
      length: recoverLength,
      loss,
      steps,
      batchWindows: recoverBatch,
      learningRate: recoverRates[rateOf(method)],
      seed: recoverSeed,
      repair,
      ...recoverDetails,
    },
    ...(method === 'lora' ? { method, bits: 4 } : { method: 'group-wise', bits: method === 'group-wise-4' ? 4 : 8 }),
  };
}

/** The training of a pruned model, anew or from what is kept of it. `cancel` ends it and keeps the best so far; before the first measurement nothing is kept. */
export function useRecovery() {
  const client = useQueryClient();
  const controller = useRef<AbortController>(undefined);
  const run = async (plan: Plan, kept?: KeptTraining) => {
    const {
      beginTask,
      reportTask,
      endTask,
      setRecovery,
      setRecoveryRun,
      addRecoveryStep,
      setPane,
      opening,
      recipe,
      ...chosen
    } = useStudio.getState();
    const { recoverMethod: method, recoverSteps: steps } = chosen;
    controller.current?.abort();
    controller.current = new AbortController();
    const { signal } = controller.current;
    const of = `${formatPercent(plan.ratio)} removed${repairSuffix(plan.recipe)}`;
    /** A run of a model that is no longer on the bench has nobody to tell. */
    const end = (state: RecoveryRun['state']) => {
      const { recoveryRun } = useStudio.getState();
      if (useStudio.getState().opening === opening && recoveryRun) setRecoveryRun({ ...recoveryRun, state });
    };
    setRecoveryRun({
      of,
      plan,
      method,
      steps,
      earlier: kept?.records ?? [],
      progress: [],
      state: { status: 'running' },
    });
    beginTask('recover');
    try {
      const engine = await studioEngine();
      const request = { ...(await recoverRequest(client, plan)), resume: kept !== undefined };
      const onProgress = (progress: Progress) => reportTask('recover', { ...progress, stage: 'training' });
      const result = await engine.recover(plan, request, { stop: signal, onStep: addRecoveryStep, onProgress });
      end({ status: 'done', result });
      if (useStudio.getState().opening !== opening) return;
      setRecovery({
        recovered: { plan, recipe, method, result, at: Date.now(), name: `${of}, ${recoveryMethodName(method)}` },
      });
      setPane('recovered', { status: 'idle' });
    } catch (error) {
      if (error instanceof CancelledError) end({ status: 'stopped' });
      else end({ status: 'failed', message: error instanceof Error ? error.message : String(error) });
    } finally {
      endTask('recover');
      void client.invalidateQueries({ queryKey: [KEPT_TRAINING] });
    }
  };
  return { run, cancel: () => controller.current?.abort() };
}

const KEPT_TRAINING = 'kept-training';

/**
 * The training that this browser keeps, looked for when the reader has rested on a plan and settings; undefined for none, and for the one that made the recovered
 * model which is there. `forget` deletes it.
 */
export function useKeptTraining(): { readonly kept: KeptTraining | undefined; readonly forget: () => void } {
  const client = useQueryClient();
  const { isSuccess } = useModel();
  const outcome = useRestedPlan();
  const plan = outcome?.ok ? outcome.plan : undefined;
  const running = useStudio(({ tasks }) => tasks.recover !== undefined);
  const history = useStudio(({ recovered }) => recovered?.result.history);
  const settings = useStudio(
    useShallow(
      ({ opening, recoverText, recoverMethod, recoverSteps, recoverRates, recoverBatch, recoverLength, ...state }) => [
        ...[
          opening,
          textKey(recoverText),
          recoverMethod,
          recoverSteps,
          recoverRates[rateOf(recoverMethod)],
          recoverBatch,
          recoverLength,
        ],
        ...[
          state.recoverSeed,
          state.recoverLoss,
          JSON.stringify(state.recoverDetails),
          plan?.recipe.compensate,
          repairKey(state),
        ],
      ],
    ),
  );
  const { data } = useQuery({
    queryKey: [KEPT_TRAINING, ...settings, plan && planFingerprint(plan)],
    enabled: isSuccess && plan !== undefined && !running,
    ...{ staleTime: 0, gcTime: 0 },
    queryFn: async () => (plan ? (await studioEngine()).keptTraining(plan, await recoverRequest(client, plan)) : null),
  });
  const forget = async () => {
    await (await studioEngine()).forgetTraining();
    await client.invalidateQueries({ queryKey: [KEPT_TRAINING] });
  };
  const isThere = data && isFinished(data) && data.records.at(-1)?.heldOutLoss === history?.at(-1)?.heldOutLoss;
  return { kept: (!running && !isThere && data) || undefined, forget: () => void forget() };
}

/** In which numbers a recovered model is exported: those that its weights have already. */
export const RECOVERED_DTYPES: Readonly<Record<RecoveryMethod, ExportRequest['dtype']>> = {
  'group-wise-4': 'q4',
  'group-wise-8': 'q8',
  lora: 'f32',
};

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
        return {
          of: result,
          exported: await engine.export(plan, request, {
            signal,
            onProgress: (progress) => reportTask('export', progress),
          }),
        };
      } finally {
        endTask('export');
      }
    },
  });
  return { ...mutation, cancel: () => controller.current?.abort() };
}
