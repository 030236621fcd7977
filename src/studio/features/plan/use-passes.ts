import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';
import type { Scores } from '../../../importance/sums/scores.ts';
import { studioEngine } from '../../data/engine.ts';
import { readText } from '../../data/use-engine.ts';
import { useStudio } from '../../store.ts';

/** Plans the present recipe in passes, scoring what is left after each part. The groups that it finds stand until the recipe is changed; a recipe that was changed meanwhile stays. */
export function usePasses() {
  const client = useQueryClient();
  const controller = useRef<AbortController>(undefined);
  const mutation = useMutation({
    mutationFn: async (scores: Scores) => {
      const { beginTask, reportTask, endTask, recipe, recipePasses: passes, ...state } = useStudio.getState();
      controller.current = new AbortController();
      const { signal } = controller.current;
      beginTask('passes');
      try {
        const { calibrationText, calibrationWindows: windows, calibrationLength: length, calibrationSeed } = state;
        const text = await readText(client, calibrationText, 'calibration');
        const source = calibrationText.kind === 'own' ? calibrationText.name : 'stories, shipped';
        const engine = await studioEngine();
        const plan = await engine.planInPasses(
          { scores, options: recipe, passes, text, source, windows, length, seed: calibrationSeed },
          { signal, onProgress: (progress) => reportTask('passes', progress) },
        );
        const { recipe: now, adoptPlan } = useStudio.getState();
        if (now === recipe) adoptPlan(plan, scores.model.sha256, `${passes} passes`);
        return { adopted: now === recipe };
      } finally {
        endTask('passes');
      }
    },
  });
  return { ...mutation, cancel: () => controller.current?.abort() };
}
