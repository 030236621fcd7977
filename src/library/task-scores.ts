import type { Task } from '../evaluate/tasks.ts';
import { correctness } from '../evaluate/tasks-result.ts';
import type { LongRunning } from '../progress.ts';
import type { OpenModel } from './open-model.ts';
import { evaluateTasks } from './tasks.ts';

/** Zero-shot result of one cell of a comparison, with every item's answer, so that two cells can be compared in pairs. */
export interface TaskScores {
  readonly accuracy: number;
  readonly accuracyNormalized: number;
  readonly standardError: number;
  readonly standardErrorNormalized: number;
  readonly items: number;
  /** One character an item: '1' right, '0' wrong; by log-likelihood, and by log-likelihood per byte. */
  readonly correct: string;
  readonly correctNormalized: string;
}

export async function scoreTasks(
  model: OpenModel,
  tasks: readonly Task[],
  options: LongRunning,
): Promise<Record<string, TaskScores>> {
  const results = await evaluateTasks(model, tasks, options);
  return Object.fromEntries(
    tasks.flatMap((task) => {
      const result = results[task.name];
      if (!result) return [];
      const { predictions, predictionsNormalized, chance: _, ...numbers } = result;
      const answers = (chosen: readonly number[]) => correctness(task, chosen).join('');
      return [
        [
          task.name,
          { ...numbers, correct: answers(predictions), correctNormalized: answers(predictionsNormalized) },
        ] as const,
      ];
    }),
  );
}
