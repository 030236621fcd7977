import { expect, it } from 'vitest';
import { createStore } from 'zustand/vanilla';
import { wouldLoseWork } from './close-guard.tsx';
import { createTasksSlice } from './tasks-slice.ts';

it('guards what the reader started and would lose, and nothing that the page measures by itself', () => {
  const store = createStore(createTasksSlice);
  for (const name of ['model', 'perplexity', 'speed', 'generate'] as const) {
    store.getState().beginTask(name);
    expect(wouldLoseWork(store.getState().tasks)).toBe(false);
  }
  for (const name of ['score', 'export', 'publish', 'recover', 'refine', 'tasks'] as const) {
    store.getState().beginTask(name);
    expect(wouldLoseWork(store.getState().tasks)).toBe(true);
    store.getState().endTask(name);
    expect(wouldLoseWork(store.getState().tasks)).toBe(false);
  }
});
