import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';
import type { Plan } from '../../../plan/plan.ts';
import { studioEngine } from '../../data/engine.ts';
import { readText } from '../../data/use-engine.ts';
import { useStudio } from '../../store.ts';
import { repairFor } from '../plan/repair.ts';
import { keptVocabulary } from './kept-vocabulary.ts';

/** Tokens of the prompt whose reading precedes what is timed; never more than a window. */
const PROMPT_TOKENS = 64;

/** Measures what the vocabulary of a plan costs: words, bits and speed, on the page's text, beside the same plan with the whole one. */
export function useVocabularyCost() {
  const client = useQueryClient();
  const controller = useRef<AbortController>(undefined);
  const mutation = useMutation({
    mutationFn: async (plan: Plan) => {
      const { beginTask, reportTask, endTask, ...state } = useStudio.getState();
      controller.current = new AbortController();
      const { signal } = controller.current;
      beginTask('vocabulary');
      try {
        const vocabulary = await keptVocabulary(client, plan.recipe.vocabulary);
        if (!vocabulary) return undefined;
        const { measureText, measureWindows: windows, measureLength: length, speedTokens, speedSeconds } = state;
        const text = await readText(client, measureText, 'evaluation');
        const promptTokens = Math.min(PROMPT_TOKENS, length);
        const cost = await (await studioEngine()).vocabulary(
          plan,
          {
            ...{ vocabulary, text, windows, length, repair: await repairFor(client, plan) },
            speed: { promptTokens, newTokens: speedTokens, seconds: speedSeconds },
          },
          { signal, onProgress: (progress) => reportTask('vocabulary', progress) },
        );
        return { plan, cost };
      } finally {
        endTask('vocabulary');
      }
    },
  });
  return { ...mutation, cancel: () => controller.current?.abort() };
}
