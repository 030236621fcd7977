import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { readTask, type Task } from '../../../evaluate/tasks.ts';
import type { Scores } from '../../../importance/sums/scores.ts';
import { makePlan } from '../../../plan/make-plan.ts';
import type { Plan } from '../../../plan/plan.ts';
import { fetchEmbedded } from '../../data/embedded.ts';
import { fingerprint } from '../../data/fingerprint.ts';
import { useBackend, useScores } from '../../data/use-engine.ts';
import { formatPercent } from '../../parts/format.ts';
import { useStudio } from '../../store.ts';
import { recipeOf } from '../compare/measurements.ts';
import { EMBEDDED_MODEL, modelKey } from '../model/slice.ts';
import { planFingerprint, trainingFingerprint } from '../plan/plan-fingerprint.ts';
import { repairKey, repairSuffix } from '../plan/repair.ts';
import type { RecipeChoices } from '../plan/slice.ts';
import { useRestedPlan } from '../plan/use-plan.ts';
import type { RecoveredColumn } from '../recovery/slice.ts';

/** A model to measure tasks on, and where its items are kept. */
export interface TaskSubjectPlan {
  readonly id: string;
  readonly name: string;
  readonly ratio: number;
  /** `null` is the dense model. */
  readonly plan: Plan | null;
  /** Number of the recovered model, where it is one. */
  readonly recovered?: number | undefined;
  readonly key: string;
}

const SHIPPED_TASK = 'story-cloze.jsonl';

/** The task that is chosen: shipped with the page, or the reader's. Undefined while it is loaded. */
function useTask(): { readonly task: Task | undefined; readonly error: Error | null } {
  const chosen = useStudio((state) => state.chosenTask);
  const shipped = useQuery({
    queryKey: ['task', SHIPPED_TASK],
    queryFn: async ({ signal }) => {
      const response = await fetchEmbedded(EMBEDDED_MODEL, SHIPPED_TASK, signal);
      return readTask({ name: SHIPPED_TASK, bytes: new Uint8Array(await response.arrayBuffer()) });
    },
  });
  return chosen.kind === 'own' ? { task: chosen.task, error: null } : { task: shipped.data, error: shipped.error };
}

/** The first so many items of the chosen task. */
export function useTaskInUse() {
  const { task, error } = useTask();
  const limit = useStudio((state) => state.taskItems);
  const part = useMemo(() => task && { name: task.name, items: task.items.slice(0, limit) }, [task, limit]);
  return { task, part, error };
}

/** The models whose accuracy the panel shows: dense, the present plan, the recovered one where there is one, and when asked for the other methods. */
export function useTaskSubjects(task: Task | undefined): readonly TaskSubjectPlan[] {
  const { data: scores } = useScores();
  const { data: backend } = useBackend();
  const outcome = useRestedPlan();
  const recipe = useStudio((state) => state.recipe);
  const chosenModel = useStudio((state) => state.chosenModel);
  const through = useStudio((state) => state.taskThrough);
  const withMethods = useStudio((state) => state.taskMethods);
  const comparedMethods = useStudio((state) => state.comparedMethods);
  const repair = useStudio(repairKey);
  const recovered = useStudio((state) => state.recovered);
  const plan = outcome?.ok ? outcome.plan : undefined;
  const prefix = useMemo(() => {
    if (!task) return undefined;
    const model =
      scores?.model.sha256 ??
      (chosenModel.kind === 'files' ? `${modelKey(chosenModel)} of ${performance.timeOrigin}` : modelKey(chosenModel));
    return fingerprint(JSON.stringify([model, backend?.backend, through, task.name, task.items]));
  }, [task, scores, chosenModel, backend, through]);
  return useMemo(() => {
    if (prefix === undefined) return [];
    const subject = (id: string, name: string, of: Plan | null): TaskSubjectPlan => ({
      ...{ id, name, ratio: of?.ratio ?? 0, plan: of },
      key: `${prefix}-${of === null ? 'dense' : planKey(of, repair)}`,
    });
    const removed = plan
      ? [subject('plan', `${formatPercent(plan.ratio)} removed${repairSuffix(plan.recipe)}`, plan)]
      : [];
    const methods = withMethods && plan && scores ? comparedMethods : [];
    const others = methods.flatMap((method) => {
      const other = scores && plan && planOfMethod(method, scores, recipe, plan.ratio);
      return other ? [subject(`method:${method}`, method, other)] : [];
    });
    const trained = recovered ? [recoveredSubject(recovered, prefix)] : [];
    return [subject('dense', 'Dense', null), ...removed, ...trained, ...others];
  }, [prefix, plan, withMethods, comparedMethods, scores, recipe, recovered, repair]);
}

/** Tells pruned models apart by the groups that stay and by their compensation. */
function planKey(plan: Plan, repair: string): string {
  const { compensate = 'none' } = plan.recipe;
  return compensate === 'none'
    ? planFingerprint(plan)
    : fingerprint(JSON.stringify([planFingerprint(plan), compensate, repair]));
}

function recoveredSubject(column: RecoveredColumn, prefix: string): TaskSubjectPlan {
  const { plan, name, result } = column;
  return {
    ...{ id: 'recovered', name: `Recovered, ${name}`, ratio: plan.ratio, plan },
    ...{ recovered: result.recovered, key: `${prefix}-recovered-${trainingFingerprint(column)}` },
  };
}

/** Another method's plan at the same ratio; undefined where it cannot reach it. */
function planOfMethod(method: string, scores: Scores, recipe: RecipeChoices, ratio: number): Plan | undefined {
  try {
    return makePlan(scores, {
      ...recipeOf({ method, ratio, what: 'perplexity' }, recipe),
      target: { kind: 'ratio', value: ratio },
    });
  } catch {
    return undefined;
  }
}
