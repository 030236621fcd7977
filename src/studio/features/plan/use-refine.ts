import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';
import type { Scores } from '../../../importance/sums/scores.ts';
import type { Refinement } from '../../../worker/engine.ts';
import { studioEngine } from '../../data/engine.ts';
import { readText } from '../../data/use-engine.ts';
import { useStudio } from '../../store.ts';
import type { RecipeChoices, RecipePatch } from './slice.ts';

/**
 * The measured search from the present recipe: what it finds becomes the recipe, as one step that can be undone. A recipe that was changed meanwhile stays; the
 * result is then only shown.
 */
export function useRefine() {
  const client = useQueryClient();
  const controller = useRef<AbortController>(undefined);
  const mutation = useMutation({
    mutationFn: async (scores: Scores) => {
      const { beginTask, reportTask, endTask, recipe, ...state } = useStudio.getState();
      controller.current = new AbortController();
      const { signal } = controller.current;
      beginTask('refine');
      try {
        const text = await readText(client, state.calibrationText, 'calibration');
        const engine = await studioEngine();
        const {
          calibrationLength: length,
          calibrationSeed: seed,
          refineWindows: windows,
          refineEvaluations: evaluations,
        } = state;
        const refinement = await engine.refine(
          { scores, options: recipe, text, windows, length, seed, evaluations },
          { signal, onProgress: (progress) => reportTask('refine', progress) },
        );
        const adopted = useStudio.getState().recipe === recipe;
        if (adopted) useStudio.getState().changeRecipe(found(refinement, recipe));
        return { ...refinement, adopted };
      } finally {
        endTask('refine');
      }
    },
  });
  return { ...mutation, cancel: () => controller.current?.abort() };
}

/** The fields of the found recipe that decide which groups stay; those that it leaves out go back to their defaults. */
function found({ plan }: Refinement, before: RecipeChoices): RecipePatch {
  const { metric, fusion, fusionScope, search, gamma, stability, balance, measured } = plan.recipe;
  return {
    metric,
    fusion: fusion ?? before.fusion,
    fusionScope: fusionScope ?? before.fusionScope,
    search,
    gamma,
    stability,
    balance,
    measured,
  };
}
