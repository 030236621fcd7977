import { useQueries, useQueryClient } from '@tanstack/react-query';
import { useMemo } from 'react';
import type { Scores } from '../../../importance/sums/scores.ts';
import type { PerplexityMeasurement } from '../../../worker/engine.ts';
import { studioEngine } from '../../data/engine.ts';
import { readText, useScores } from '../../data/use-engine.ts';
import { useStudio } from '../../store.ts';
import { type MeasureSettings, measurementKey, useMeasureSettings } from '../compare/measurements.ts';
import { ratioKey } from '../compare/sweep.ts';
import { type PlanOutcome, planOutcome } from '../plan/plan-outcome.ts';
import { repairFor } from '../plan/repair.ts';
import type { RecipeChoices } from '../plan/slice.ts';
import { useDtype } from './use-dtype.ts';

export const SHAPES = ['free', 'uniform', 'standard'] as const;
export type Shape = (typeof SHAPES)[number];

/** What the present recipe comes to in one shape. */
export interface ShapeCost {
  readonly shape: Shape;
  readonly outcome: PlanOutcome | undefined;
  /** On the page's text; undefined until it is measured. */
  readonly measured: { readonly perplexity: number; readonly klDivergence?: number | undefined } | undefined;
  readonly isMeasuring: boolean;
  /** Why it could not be measured. */
  readonly failure: string | undefined;
}

/** The recipe in another shape. A standard one adds no biases, and so is not compensated. */
export function inShape(recipe: RecipeChoices, shape: Shape): RecipeChoices {
  const { shape: _, compensate, ...others } = recipe;
  return {
    ...others,
    ...(shape !== 'free' && { shape }),
    ...(compensate !== undefined && { compensate: shape === 'standard' ? 'none' : compensate }),
  };
}

/** The present recipe in every shape: planned at once, and measured as the page measures where `measures` says so. */
export function useShapeCosts(measures: boolean): ShapeCost[] {
  const client = useQueryClient();
  const { data: scores } = useScores();
  const recipe = useStudio((state) => state.recipe);
  const dtype = useDtype();
  const settings = useMeasureSettings();
  const outcomes = useMemo(
    () => SHAPES.map((shape) => scores && planOutcome(scores, inShape(recipe, shape), dtype)),
    [scores, recipe, dtype],
  );
  const found = useQueries({
    queries: SHAPES.map((shape, index) => {
      const plan = planOf(outcomes[index]);
      const key = keyOf(shape, plan?.ratio, scores, recipe, settings);
      return {
        queryKey: ['shape', ...key],
        enabled: measures && plan !== undefined,
        queryFn: async ({ signal }: { readonly signal: AbortSignal }) => {
          if (!plan) throw new Error(`There is no plan in the shape ${shape}.`);
          const known = client.getQueryData<PerplexityMeasurement>(key);
          if (known) return known;
          const text = await readText(client, useStudio.getState().measureText, 'evaluation');
          const repair = await repairFor(client, plan);
          const { measureWindows: windows, measureLength: length } = settings;
          const measured = await (await studioEngine()).evaluate(plan, { text, windows, length, repair }, { signal });
          client.setQueryData(key, measured);
          return measured;
        },
      };
    }),
  });
  return SHAPES.map((shape, index) => ({
    shape,
    outcome: outcomes[index],
    measured: found[index]?.data,
    isMeasuring: found[index]?.isFetching ?? false,
    failure: found[index]?.error?.message,
  }));
}

const planOf = (outcome: PlanOutcome | undefined) => (outcome?.ok ? outcome.plan : undefined);

/** The key under which the page keeps all that it measures, so that nothing is measured twice. */
function keyOf(
  shape: Shape,
  ratio: number | undefined,
  scores: Scores | undefined,
  recipe: RecipeChoices,
  settings: MeasureSettings,
) {
  if (ratio === undefined || !scores) return ['no plan', shape];
  return measurementKey({ what: 'perplexity', ratio: ratioKey(ratio) }, scores, inShape(recipe, shape), settings);
}
