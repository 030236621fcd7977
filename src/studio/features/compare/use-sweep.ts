import { useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { CancelledError } from '../../../errors.ts';
import type { Scores } from '../../../importance/sums/scores.ts';
import { makePlan } from '../../../plan/make-plan.ts';
import type { Plan } from '../../../plan/plan.ts';
import type { Repair } from '../../../worker/engine.ts';
import { studioEngine } from '../../data/engine.ts';
import { readText, useModel, useScores } from '../../data/use-engine.ts';
import { useStudio } from '../../store.ts';
import { repairFor } from '../plan/repair.ts';
import type { RecipeChoices } from '../plan/slice.ts';
import { usePlan } from '../plan/use-plan.ts';
import { type MeasureSettings, measurementKey, recipeOf, useMeasureSettings } from './measurements.ts';
import { ratioKey, type SweepStep, sweepSteps } from './sweep.ts';

/** Measuring starts when the reader has been still for this long. */
const PAUSE_MILLISECONDS = 400;
/** Tokens of the prompt whose reading a speed measurement times; never more than a window. */
const PROMPT_TOKENS = 64;

/**
 * Measures behind the page: the chosen ratio first, then the dense model, then the rest of the curves. Stops at once when the reader changes the recipe
 * or starts something; what was finished is kept. Why it failed is put into the state.
 */
export function useSweep(): void {
  const client = useQueryClient();
  const { data: scores } = useScores();
  const { data: model } = useModel();
  const outcome = usePlan();
  const recipe = useStudio((state) => state.recipe);
  const autoMeasure = useStudio((state) => state.autoMeasure);
  const comparedMethods = useStudio((state) => state.comparedMethods);
  // Whatever the reader started goes before what is measured behind the page.
  const busy = useStudio(({ tasks }) => Object.keys(tasks).some((name) => name !== 'perplexity' && name !== 'speed'));
  const settings = useMeasureSettings();
  const measureText = useStudio((state) => state.measureText);
  const plan = outcome?.ok ? outcome.plan : undefined;

  useEffect(() => {
    if (!autoMeasure || busy || !scores || !model || !plan) return;
    const controller = new AbortController();
    const timer = setTimeout(() => {
      const isMeasured = (step: SweepStep) =>
        client.getQueryData(measurementKey(step, scores, recipe, settings)) !== undefined;
      const measure = async () => {
        const text = await readText(client, measureText, 'evaluation');
        for (const step of sweepSteps(plan.ratio, comparedMethods, isMeasured)) {
          if (controller.signal.aborted) return;
          const stepPlan = planAt(step, plan, scores, recipe, settings.given !== '');
          if (stepPlan === undefined) continue;
          const value = await measureStep(
            step,
            stepPlan,
            text,
            settings,
            await repairFor(client, stepPlan),
            controller.signal,
          );
          client.setQueryData(measurementKey(step, scores, recipe, settings), value);
        }
      };
      const { setMeasure } = useStudio.getState();
      setMeasure({ sweepFailure: undefined });
      measure().catch((error: unknown) => {
        if (!(error instanceof CancelledError))
          setMeasure({ sweepFailure: error instanceof Error ? error.message : String(error) });
      });
    }, PAUSE_MILLISECONDS);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [client, scores, model, plan, recipe, settings, measureText, comparedMethods, autoMeasure, busy]);
}

/** The plan to measure: null is dense; undefined where the recipe cannot reach the ratio (its layers are protected). */
function planAt(
  step: SweepStep,
  chosen: Plan,
  scores: Scores,
  recipe: RecipeChoices,
  isGiven: boolean,
): Plan | null | undefined {
  if (step.ratio === 0) return null;
  if (step.method === undefined && step.ratio === ratioKey(chosen.ratio)) return chosen;
  // Groups that were given are those of one ratio.
  if (step.method === undefined && isGiven) return undefined;
  try {
    return makePlan(scores, { ...recipeOf(step, recipe), target: { kind: 'ratio', value: step.ratio } });
  } catch {
    return undefined;
  }
}

async function measureStep(
  step: SweepStep,
  plan: Plan | null,
  text: string,
  settings: MeasureSettings,
  repair: Repair | undefined,
  signal: AbortSignal,
) {
  const { beginTask, reportTask, endTask, setMeasure } = useStudio.getState();
  const engine = await studioEngine();
  const options = {
    signal,
    onProgress: (progress: Parameters<typeof reportTask>[1]) => reportTask(step.what, progress),
  };
  beginTask(step.what);
  if (step.what === 'perplexity' && step.method === undefined) setMeasure({ measuringRatio: step.ratio });
  try {
    if (step.what === 'perplexity' || plan === null)
      return await engine.evaluate(
        plan,
        { text, windows: settings.measureWindows, length: settings.measureLength, repair },
        options,
      );
    return await engine.speed(
      plan,
      {
        promptTokens: Math.min(PROMPT_TOKENS, settings.measureLength),
        newTokens: settings.speedTokens,
        seconds: settings.speedSeconds,
        repair,
      },
      { ...options, onEstimate: (soFar) => setMeasure({ speedSoFar: { ...soFar, ratio: step.ratio } }) },
    );
  } finally {
    endTask(step.what);
    setMeasure({ measuringRatio: undefined, speedSoFar: undefined });
  }
}
