import { kept, keptChanged } from '../../data/kept.ts';
import { useStudio } from '../../store.ts';
import { keptRuns, type Run } from './run.ts';
import { LARGEST_HISTORY } from './slice.ts';

const NAME = 'runs';
const CHANNEL = 'espalier-runs';

/** What a tab tells the others: which runs it took off the list; what it added they read. */
interface Change {
  readonly removed: readonly string[];
}

/**
 * What is kept after a tab changed its history: its runs and those of other tabs that it does not know, without what it removed; the newest first, and no more than
 * are kept.
 */
export function mergedRuns(stored: readonly Run[], own: readonly Run[], removed: ReadonlySet<string>): Run[] {
  const known = new Set(own.map(({ id }) => id));
  return [...own, ...stored.filter(({ id }) => !known.has(id) && !removed.has(id))]
    .toSorted((a, b) => b.at - a.at)
    .slice(0, LARGEST_HISTORY);
}

/** Brings back the history, keeps it as it changes, and follows what other tabs add and remove. Returns the function that ends it. */
export async function keepRuns(): Promise<() => void> {
  const channel = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel(CHANNEL);
  let isFollowing = false;
  const follow = async (removed: readonly string[]) => {
    const stored = keptRuns(await kept(NAME));
    isFollowing = true;
    for (const id of removed) useStudio.getState().forgetRun(id);
    useStudio.getState().restoreRuns(stored.filter(({ id }) => !removed.includes(id)));
    isFollowing = false;
  };
  await follow([]);
  const unsubscribe = useStudio.subscribe(({ runs }, { runs: before }) => {
    if (runs === before || isFollowing) return;
    const left = new Set(runs.map(({ id }) => id));
    const removed = runs.length < before.length ? before.map(({ id }) => id).filter((id) => !left.has(id)) : [];
    void keptChanged(NAME, (stored) => mergedRuns(keptRuns(stored), runs, new Set(removed))).then(() =>
      channel?.postMessage({ removed } satisfies Change),
    );
  });
  if (channel) channel.onmessage = ({ data }: MessageEvent<Change>) => void follow(data.removed);
  return () => {
    unsubscribe();
    channel?.close();
  };
}
