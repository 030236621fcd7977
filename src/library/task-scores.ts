import type { Task } from '../evaluate/tasks.ts';
import { correctness } from '../evaluate/tasks-result.ts';
import type { LongRunning } from '../progress.ts';
import type { OpenModel } from './open-model.ts';
import { evaluateTasks } from './tasks.ts';

/** Zero-shot result of one cell of a comparison, with every item's answer, so that two cells can be compared in pairs. */
export interface TaskScores {
  /** Share of items that log-likelihood has right. */
  readonly accuracy: number;
  /** Share of items that log-likelihood per byte has right. */
  readonly accuracyNormalized: number;
  /** Of `accuracy`. */
  readonly standardError: number;
  /** Of `accuracyNormalized`. */
  readonly standardErrorNormalized: number;
  /** Items of the task. */
  readonly items: number;
  /** One character an item: '1' right, '0' wrong; by log-likelihood, and by log-likelihood per byte. */
  readonly correct: string;
  /** Per item, whether log-likelihood per byte has it right. */
  readonly correctNormalized: string;
  /** Mean margin of the right choice's log-likelihood in nats, its standard error, and every item's, to 1e-4; absent in files of versions before 0.2. */
  readonly margin?: number;
  /** Of the mean margin. */
  readonly marginStandardError?: number;
  /** Of each item. */
  readonly margins?: readonly number[];
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
      const { predictions, predictionsNormalized, margins, chance: _, ...numbers } = result;
      const answers = (chosen: readonly number[]) => correctness(task, chosen).join('');
      return [
        [
          task.name,
          {
            ...numbers,
            correct: answers(predictions),
            correctNormalized: answers(predictionsNormalized),
            margins: margins.map((value) => Math.round(value * 1e4) / 1e4),
          },
        ] as const,
      ];
    }),
  );
}
