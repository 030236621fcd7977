import type { StateCreator } from 'zustand';
import type { Run } from './run.ts';

/** Runs that are kept; the oldest go first. */
export const LARGEST_HISTORY = 200;

export interface RunsSlice {
  /** Measured recipes, the newest first. */
  readonly runs: readonly Run[];
  /** The runs that are laid side by side: none, one, or two, in the order in which they were picked. */
  readonly pickedRuns: readonly string[];
  /** The run of the recipe at hand, whether it is written down yet or not. */
  readonly presentRun: string | undefined;
  /** Why the recovered model could not be measured. */
  readonly recoveredFailure: string | undefined;
  /** What was taken off the list last, with its place: it can come back. */
  readonly removedRun: { readonly run: Run; readonly place: number } | undefined;
  /** Adds a run, or what is new about a known one. A run that was just removed stays away until another comes. */
  addRun(run: Run): void;
  removeRun(id: string): void;
  bringBackRun(): void;
  /** Picks a run, in place of the older of two, or lets it go. */
  pickRun(id: string): void;
  /** Takes a run off the list that another tab removed. */
  forgetRun(id: string): void;
  /** Adds runs of an earlier visit or another tab. */
  restoreRuns(runs: readonly Run[]): void;
}

export const createRunsSlice: StateCreator<RunsSlice> = (set, get) => ({
  runs: [],
  pickedRuns: [],
  presentRun: undefined,
  recoveredFailure: undefined,
  removedRun: undefined,
  addRun(run) {
    const { runs, removedRun } = get();
    if (removedRun?.run.id === run.id) return;
    const known = runs.find(({ id }) => id === run.id);
    if (!known) set({ runs: [run, ...runs].slice(0, LARGEST_HISTORY) });
    else if (known.speed === undefined && run.speed !== undefined)
      set({ runs: runs.map((other) => (other === known ? { ...run, at: known.at } : other)) });
  },
  removeRun(id) {
    const { runs, pickedRuns } = get();
    const place = runs.findIndex((run) => run.id === id);
    const run = runs[place];
    if (run)
      set({
        runs: runs.toSpliced(place, 1),
        pickedRuns: pickedRuns.filter((picked) => picked !== id),
        removedRun: { run, place },
      });
  },
  bringBackRun() {
    const { runs, removedRun } = get();
    if (removedRun) set({ runs: runs.toSpliced(removedRun.place, 0, removedRun.run), removedRun: undefined });
  },
  pickRun(id) {
    const { pickedRuns } = get();
    set({
      pickedRuns: pickedRuns.includes(id)
        ? pickedRuns.filter((picked) => picked !== id)
        : [...pickedRuns.slice(-1), id],
    });
  },
  forgetRun(id) {
    const { runs, pickedRuns } = get();
    if (!runs.some((run) => run.id === id)) return;
    set({ runs: runs.filter((run) => run.id !== id), pickedRuns: pickedRuns.filter((picked) => picked !== id) });
  },
  restoreRuns(kept) {
    const { runs } = get();
    const known = new Set(runs.map(({ id }) => id));
    const added = kept.filter(({ id }) => !known.has(id));
    if (added.length > 0) set({ runs: [...runs, ...added].toSorted((a, b) => b.at - a.at).slice(0, LARGEST_HISTORY) });
  },
});
