import { useScores } from '../../data/use-engine.ts';
import { formatShare } from '../../parts/format.ts';
import { useStudioFields } from '../../store.ts';
import { recipeLabel } from '../plan/recipe-label.ts';
import { useTaskRows } from '../tasks/use-tasks.ts';
import type { DrawerName } from './slice.ts';

interface DrawerStatus {
  readonly text: string;
  readonly busy: boolean;
}

/** What stands in each drawer, in a word or two. */
export function useDrawerStatus(): Readonly<Record<DrawerName, DrawerStatus>> {
  const { tasks, comparedMethods, runs, recovered, recipe } = useStudioFields(
    'tasks',
    'comparedMethods',
    'runs',
    'recovered',
    'recipe',
  );
  const { data: scores } = useScores();
  const accuracies = useAccuracies();
  const own = runs.filter((run) => run.model.sha256 === scores?.model.sha256).length;
  const still = (text: string): DrawerStatus => ({ text, busy: false });
  const busy = (text: string): DrawerStatus => ({ text, busy: true });
  return {
    compare: still(`${comparedMethods.length} method${comparedMethods.length === 1 ? '' : 's'}`),
    recipe: tasks.refine ? busy('refining') : still(recipeLabel(recipe)),
    history: still(own === 0 ? '–' : String(own)),
    'zero-shot': tasks.tasks ? busy('measuring') : still(accuracies ?? '–'),
    recovery: tasks.recover ? busy('training') : still(recovered ? 'done' : '–'),
  };
}

/** Zero-shot accuracy of the dense and the pruned model, once both have all items. */
function useAccuracies(): string | undefined {
  const { part, rows } = useTaskRows();
  const { taskMetric } = useStudioFields('taskMetric');
  const shares = ['dense', 'plan']
    .flatMap((id) => rows.find((row) => row.id === id)?.result ?? [])
    .filter(({ items }) => items === part?.items.length);
  return shares.length === 2 ? shares.map((result) => formatShare(result[taskMetric])).join(' → ') : undefined;
}
