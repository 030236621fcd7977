import { type TaskModel, taskLogLikelihoods } from '../library/tasks.ts';
import type { MeasuringTask, TaskLikelihoods, TaskRequest } from './engine.ts';

/** Tokens between two batches of items: what a cancellation or a reload may cost. */
const PASS_TOKENS = 1024;

/** Log-likelihoods [items][choices] of a task; goes on from the finished items, and tells new ones as they come. */
export async function measureTask(
  model: TaskModel,
  { task, finished }: TaskRequest,
  { signal, onProgress, onItems }: MeasuringTask,
): Promise<TaskLikelihoods> {
  const known = new Map(finished.map(({ item, logLikelihoods }) => [item, logLikelihoods]));
  return taskLogLikelihoods(model, task, {
    ...{ passTokens: PASS_TOKENS, finished: new Map([[task.name, known]]), signal, onProgress },
    onItems: (_, items) => onItems?.(items),
  });
}
