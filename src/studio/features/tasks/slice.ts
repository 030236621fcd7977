import type { StateCreator } from 'zustand';
import type { Task } from '../../../evaluate/tasks.ts';

/** A zero-shot task: the one that is shipped with the page, or one of the reader's files. */
export type ChosenTask = { readonly kind: 'embedded' } | { readonly kind: 'own'; readonly task: Task };

export interface ZeroShotSlice {
  readonly chosenTask: ChosenTask;
  /** First items of the task that are used, at most. */
  readonly taskItems: number;
  /** What computes: the block programs, or the decoder as it is exported. */
  readonly taskThrough: 'blocks' | 'decoder';
  /** Whether the methods that are compared beside the recipe are measured too. */
  readonly taskMethods: boolean;
  /** Which accuracy the chart shows. */
  readonly taskMetric: 'accuracy' | 'accuracyNormalized';
  setZeroShot(patch: Partial<Omit<ZeroShotSlice, 'setZeroShot'>>): void;
}

export const createZeroShotSlice: StateCreator<ZeroShotSlice> = (set) => ({
  chosenTask: { kind: 'embedded' },
  taskItems: 100,
  taskThrough: 'blocks',
  taskMethods: false,
  taskMetric: 'accuracy',
  setZeroShot: (patch) => set(patch),
});
