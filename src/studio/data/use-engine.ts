import { skipToken, useQuery } from '@tanstack/react-query';
import type { ModelSummary } from '../../worker/engine.ts';
import { useStudio } from '../state/store.ts';
import { EMBEDDED_MODEL, fetchEmbedded, fetchPrecomputedScores } from './embedded.ts';
import { backendChoice, studioEngine } from './engine.ts';

/** The backend that the engine computes on; starts the engine. */
export function useBackend() {
  return useQuery({
    queryKey: ['backend'],
    queryFn: async () => (await studioEngine()).backend(backendChoice(globalThis.location.search)),
  });
}

/** The opened model, once a backend is there. */
export function useModel() {
  const { isSuccess } = useBackend();
  return useQuery<ModelSummary>({
    queryKey: ['model', EMBEDDED_MODEL],
    queryFn: isSuccess
      ? async ({ signal }) => {
          const { beginTask, reportTask, endTask } = useStudio.getState();
          beginTask('model');
          try {
            const engine = await studioEngine();
            return await engine.openModel({ kind: 'embedded', id: EMBEDDED_MODEL }, { signal, onProgress: (progress) => reportTask('model', progress) });
          } finally {
            endTask('model');
          }
        }
      : skipToken,
  });
}

/** The scores that the page works from: shipped ones until the reader's own run replaces them. */
export function useScores() {
  const choice = useStudio((state) => state.scoresChoice);
  return useQuery({
    queryKey: choice.kind === 'precomputed' ? ['scores', 'precomputed', EMBEDDED_MODEL] : ['scores', 'run', choice.run],
    queryFn: choice.kind === 'precomputed' ? ({ signal }) => fetchPrecomputedScores(EMBEDDED_MODEL, signal) : skipToken,
  });
}

export type EmbeddedText = 'calibration' | 'evaluation';

/** The texts that are shipped with the embedded model: one to score on, another to measure on. */
export function embeddedTextQuery(text: EmbeddedText) {
  return {
    queryKey: ['text', EMBEDDED_MODEL, text],
    queryFn: async ({ signal }: { readonly signal: AbortSignal }) => (await fetchEmbedded(EMBEDDED_MODEL, `${text}.txt`, signal)).text(),
  } as const;
}
