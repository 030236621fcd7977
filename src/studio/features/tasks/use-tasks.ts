import { useMutation, useQueries, useQueryClient } from '@tanstack/react-query';
import { useMemo, useRef } from 'react';
import { throwIfCancelled } from '../../../errors.ts';
import type { Task } from '../../../evaluate/tasks.ts';
import { studioEngine } from '../../data/engine.ts';
import { useStudio } from '../../store.ts';
import { repairFor } from '../plan/repair.ts';
import { addTaskItems, taskItemsQuery } from './task-items.ts';
import { type TaskItems, taskRows } from './task-rows.ts';
import { type TaskSubjectPlan, useTaskInUse, useTaskSubjects } from './task-subjects.ts';

const NONE: TaskItems = new Map();

/** The chosen task with the first items that are in use, its subjects, and a row for each of what is measured, in earlier visits too. */
export function useTaskRows() {
  const { task, part, error } = useTaskInUse();
  const subjects = useTaskSubjects(task);
  const found = useQueries({
    queries: subjects.map(({ key }) => taskItemsQuery(key)),
    combine: (results) => results.map(({ data }) => data ?? NONE),
  });
  const rows = useMemo(() => {
    const measured = subjects.map(({ id, name, ratio }, index) => ({ id, name, ratio, items: found[index] ?? NONE }));
    return part ? taskRows(part, measured) : [];
  }, [part, subjects, found]);
  return { task, part, error, subjects, rows };
}

/** Measures what is not measured yet, model by model. `cancel` stops it; items that are finished stay, also over a reload. */
export function useTaskRun() {
  const client = useQueryClient();
  const controller = useRef<AbortController>(undefined);
  const mutation = useMutation({
    mutationFn: async ({ task, subjects }: { readonly task: Task; readonly subjects: readonly TaskSubjectPlan[] }) => {
      const { beginTask, reportTask, endTask, taskThrough: through } = useStudio.getState();
      controller.current = new AbortController();
      const { signal } = controller.current;
      beginTask('tasks');
      try {
        const engine = await studioEngine();
        for (const { key, name, plan, recovered } of subjects) {
          throwIfCancelled(signal);
          const known = await client.fetchQuery(taskItemsQuery(key));
          if (task.items.every((_, item) => known.has(item))) continue;
          const finished = [...known].map(([item, logLikelihoods]) => ({ item, logLikelihoods }));
          await engine.task(
            plan,
            {
              task,
              through,
              finished,
              repair: recovered === undefined ? await repairFor(client, plan) : { recovered },
            },
            {
              signal,
              onItems: (items) => void addTaskItems(client, key, items),
              onProgress: (progress) => reportTask('tasks', { ...progress, stage: name }),
            },
          );
        }
      } finally {
        endTask('tasks');
      }
    },
  });
  return { ...mutation, cancel: () => controller.current?.abort() };
}
