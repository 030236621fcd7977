import { useEffect } from 'react';
import { useStudio } from '../../store.ts';
import type { TaskName, TasksSlice } from './tasks-slice.ts';

/** What would be lost with the page, although the reader asked for it; what is measured behind the page is not. */
const LOSABLE: readonly TaskName[] = [
  'score',
  'export',
  'publish',
  'recover',
  'refine',
  'passes',
  'comparison',
  'tasks',
];

/** Whether the reader should be asked before the page closes. */
export function wouldLoseWork(tasks: TasksSlice['tasks']): boolean {
  return LOSABLE.some((name) => tasks[name] !== undefined);
}

/** The browser asks before the page closes while something that the reader started is unfinished. */
function useCloseGuard(): void {
  const isGuarded = useStudio(({ tasks }) => wouldLoseWork(tasks));
  useEffect(() => {
    if (!isGuarded) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    // Only while it is needed: a page with this listener is not kept for the way back.
    globalThis.addEventListener('beforeunload', ask);
    return () => globalThis.removeEventListener('beforeunload', ask);
  }, [isGuarded]);
}

/** Asks before the page closes; shows nothing. */
export function CloseGuard() {
  useCloseGuard();
  return null;
}
