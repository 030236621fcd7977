import { type QueryClient, skipToken, useQuery } from '@tanstack/react-query';
import type { Scores } from '../../importance/sums/scores.ts';
import type { ModelSource, ModelSummary } from '../../worker/engine.ts';
import { takeHubToken } from '../features/model/hub-tokens.ts';
import { rememberedFiles } from '../features/model/picked-files.ts';
import { type ChosenModel, EMBEDDED_MODEL, modelKey } from '../features/model/slice.ts';
import { useStudio } from '../store.ts';
import { fetchEmbedded, fetchPrecomputedScores } from './embedded.ts';
import { backendChoice, studioEngine } from './engine.ts';
import { askToPersist } from './persist-storage.ts';
import type { ChosenText } from './text.ts';

/** The backend that the engine computes on; starts the engine. */
export function useBackend() {
  return useQuery(BACKEND_QUERY);
}

const BACKEND_QUERY = {
  queryKey: ['backend'],
  queryFn: async () => (await studioEngine()).backend(backendChoice(globalThis.location.search)),
} as const;

/** The opened model, once a backend is there. */
export function useModel() {
  const chosen = useStudio((state) => state.chosenModel);
  const opening = useStudio((state) => state.opening);
  return useQuery<ModelSummary>(modelQuery(chosen, opening));
}

/** The engine opens models in the order in which they are asked for, so the asking must not wait for anything first: the backend is waited for here. */
function modelQuery(chosen: ChosenModel, opening: number) {
  return {
    queryKey: ['model', modelKey(chosen), opening],
    queryFn: async ({ client, signal }: { readonly client: QueryClient; readonly signal: AbortSignal }) => {
      await client.ensureQueryData(BACKEND_QUERY);
      return openModel(chosen, signal);
    },
  } as const;
}

/** Counts what was asked of `openNext`: of models that are chosen one after the other the last one counts. */
let lastAsked = 0;

/** Opens a model for the opening after the present one, which `useModel` then finds, and returns what it is. The present one stays open where this throws. */
export async function openNext(client: QueryClient, chosen: ChosenModel): Promise<ModelSummary> {
  lastAsked += 1;
  const asked = lastAsked;
  const { chosenModel, opening } = useStudio.getState();
  const query = modelQuery(chosen, opening + 1);
  await client.cancelQueries({ queryKey: ['model'], predicate: ({ queryKey }) => queryKey[2] === opening + 1 });
  try {
    return await client.fetchQuery(query);
  } catch (error) {
    if (asked === lastAsked) {
      client.removeQueries({ queryKey: query.queryKey, exact: true });
      await keepPresent(client, modelQuery(chosenModel, opening).queryKey);
    }
    throw error;
  }
}

/** What was cancelled too late may be what the engine has open now: then the present model is opened again. */
async function keepPresent(client: QueryClient, queryKey: readonly unknown[]): Promise<void> {
  const last = await (await studioEngine()).lastOpening();
  const present = client.getQueryData<ModelSummary>(queryKey);
  if (present && present.opening !== last) await client.refetchQueries({ queryKey, exact: true });
}

async function openModel(chosen: ChosenModel, signal: AbortSignal): Promise<ModelSummary> {
  const { beginTask, reportTask, endTask } = useStudio.getState();
  beginTask('model');
  try {
    const source = sourceOf(chosen);
    // Not waited for: a browser may ask the reader first.
    if (chosen.kind === 'hub') void askToPersist();
    const engine = await studioEngine();
    return await engine.openModel(source, { signal, onProgress: (progress) => reportTask('model', progress) });
  } finally {
    endTask('model');
  }
}

function sourceOf(chosen: ChosenModel): ModelSource {
  if (chosen.kind === 'files') return { kind: 'files', files: rememberedFiles(chosen.key) };
  return chosen.kind === 'hub' ? { ...chosen, token: takeHubToken(chosen.name) } : chosen;
}

/** The scores that the page works from: shipped ones until the reader's own run replaces them; none for another model that is not scored yet. */
export function useScores() {
  const choice = useStudio((state) => state.scoresChoice);
  return useQuery<Scores>({
    queryKey: choice.kind === 'run' ? ['scores', 'run', choice.run] : ['scores', choice.kind, EMBEDDED_MODEL],
    queryFn: choice.kind === 'precomputed' ? ({ signal }) => fetchPrecomputedScores(EMBEDDED_MODEL, signal) : skipToken,
  });
}

/** The texts that are shipped with the embedded model: one to score on, another to measure on. */
function embeddedTextQuery(text: 'calibration' | 'evaluation') {
  return {
    queryKey: ['text', EMBEDDED_MODEL, text],
    queryFn: async ({ signal }: { readonly signal: AbortSignal }) =>
      (await fetchEmbedded(EMBEDDED_MODEL, `${text}.txt`, signal)).text(),
  } as const;
}

/** A chosen text: the reader's own, or the shipped one for that purpose. */
export async function readText(
  client: QueryClient,
  chosen: ChosenText,
  shipped: 'calibration' | 'evaluation',
): Promise<string> {
  return chosen.kind === 'own' ? chosen.text : client.fetchQuery(embeddedTextQuery(shipped));
}
