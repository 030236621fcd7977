import type { StateCreator } from 'zustand';
import type { Progress } from '../../../progress.ts';

export type TaskName =
  | 'model'
  | 'score'
  | 'sample'
  | 'perplexity'
  | 'speed'
  | 'generate'
  | 'export'
  | 'publish'
  | 'vocabulary'
  | 'tasks'
  | 'refine'
  | 'passes'
  | 'comparison'
  | 'device'
  | 'recover';

/** A long step that is under way. */
export interface RunningTask {
  readonly startedAt: number;
  readonly progress: Progress | undefined;
  /** When the present stage began, for its rate. */
  readonly stageStartedAt: number;
  /** What was done already when it began: kept from an earlier visit. */
  readonly stageStartedFrom: number;
}

export interface TasksSlice {
  readonly tasks: Readonly<Partial<Record<TaskName, RunningTask>>>;
  beginTask(name: TaskName, now?: number): void;
  reportTask(name: TaskName, progress: Progress, now?: number): void;
  endTask(name: TaskName): void;
}

export const createTasksSlice: StateCreator<TasksSlice> = (set, get) => ({
  tasks: {},
  beginTask(name, now = Date.now()) {
    set({
      tasks: {
        ...get().tasks,
        [name]: { startedAt: now, progress: undefined, stageStartedAt: now, stageStartedFrom: 0 },
      },
    });
  },
  reportTask(name, progress, now = Date.now()) {
    const task = get().tasks[name];
    if (!task) return;
    const isSame = task.progress?.stage === progress.stage;
    const started = isSame ? task : { stageStartedAt: now, stageStartedFrom: progress.completed };
    const { stageStartedAt, stageStartedFrom } = started;
    set({ tasks: { ...get().tasks, [name]: { ...task, progress, stageStartedAt, stageStartedFrom } } });
  },
  endTask(name) {
    const { [name]: _ended, ...tasks } = get().tasks;
    set({ tasks });
  },
});
