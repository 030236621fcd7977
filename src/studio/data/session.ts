import { hashKey, type QueryClient, type QueryKey } from '@tanstack/react-query';
import { decodeScores, encodeScores } from '../../importance/files/score-file.ts';
import type { Scores } from '../../importance/sums/scores.ts';
import { isSpeedComparison } from '../features/compare/kept-speed.ts';
import { modelKey } from '../features/model/slice.ts';
import { useStudio } from '../store.ts';
import { keep, kept, keptChanged } from './kept.ts';

const MEASURED = 'measured';
const SCORES = 'scores-run';
/** Most measured values that are kept; the oldest go first. */
const LARGEST = 2000;
const PAUSE_MILLISECONDS = 1000;

type Entry = readonly [key: QueryKey, value: unknown];

/** Brings back what was measured and the reader's last own scores. Damaged leftovers are forgotten. */
export async function restoreSession(client: QueryClient): Promise<void> {
  const entries = await kept(MEASURED);
  if (Array.isArray(entries))
    for (const [key, value] of entries.filter(isEntry))
      if (client.getQueryData(key) === undefined) client.setQueryData(key, value);
  const run = await kept(SCORES);
  if (!isScoreRun(run) || run.model !== modelKey(useStudio.getState().chosenModel)) return;
  try {
    const scores = await decodeScores(run.bytes);
    client.setQueryData(['scores', 'run', run.run], scores);
    useStudio.getState().setCalibration({ scoresChoice: { kind: 'run', run: run.run } });
  } catch {
    await keep(SCORES, undefined);
  }
}

/** Keeps the scores of a run of a model. */
export function keepScores(model: string, run: number, scores: Scores): Promise<void> {
  return keep(SCORES, { model, run, bytes: encodeScores(scores) });
}

/** Forgets the scores of the last run: the reader went back to the shipped ones. */
export function forgetScores(): Promise<void> {
  return keep(SCORES, undefined);
}

/** Keeps measured values as they come: at most one write a second, and never later than that, however fast they follow each other. Returns the function that ends it. */
export function keepMeasured(client: QueryClient): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const write = () => {
    timer = undefined;
    const entries: Entry[] = client.getQueriesData({ queryKey: [MEASURED] }).filter(([, value]) => value !== undefined);
    // Another tab may have measured something else since.
    void keptChanged(MEASURED, (stored) => mergedEntries(Array.isArray(stored) ? stored.filter(isEntry) : [], entries));
  };
  const unsubscribe = client.getQueryCache().subscribe(({ type, query }) => {
    if (type !== 'updated' || query.queryKey[0] !== MEASURED) return;
    timer ??= setTimeout(write, PAUSE_MILLISECONDS);
  });
  return () => {
    clearTimeout(timer);
    unsubscribe();
  };
}

/** Measurements that are kept, then those of this tab, which stand for the same keys. */
export function mergedEntries(stored: readonly Entry[], own: readonly Entry[]): Entry[] {
  const known = new Set(own.map(([key]) => hashKey(key)));
  return [...stored.filter(([key]) => !known.has(hashKey(key))), ...own].slice(-LARGEST);
}

function isEntry(value: unknown): value is [QueryKey, unknown] {
  if (!Array.isArray(value) || !Array.isArray(value[0]) || value[0][0] !== MEASURED) return false;
  const [, measured] = value;
  return typeof measured === 'object' && measured !== null && ('perplexity' in measured || isSpeedComparison(measured));
}

function isScoreRun(
  value: unknown,
): value is { readonly model: string; readonly run: number; readonly bytes: Uint8Array } {
  if (typeof value !== 'object' || value === null || !('model' in value) || !('run' in value) || !('bytes' in value))
    return false;
  return typeof value.model === 'string' && typeof value.run === 'number' && value.bytes instanceof Uint8Array;
}
