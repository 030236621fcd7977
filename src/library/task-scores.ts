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
  /** Mean margin of the right choice's log-likelihood in nats, its standard error, and every item's, to 1e-4; absent in files of versions before 0.2. */
  readonly margin?: number;
  readonly marginStandardError?: number;
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
