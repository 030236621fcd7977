import { useMutation, useQueries, useQueryClient } from '@tanstack/react-query';
import { useMemo, useRef } from 'react';
import { throwIfCancelled } from '../../errors.ts';
import type { Task } from '../../evaluate/tasks.ts';
import type { TaskItems, TaskSubject } from '../planning/task-table.ts';
import { useStudio } from '../state/store.ts';
import { studioEngine } from './engine.ts';
import { repairFor } from './repair.ts';
import { addTaskItems, taskItemsQuery } from './task-items.ts';
import type { TaskSubjectPlan } from './task-subjects.ts';

const NONE: TaskItems = new Map();

/** The subjects with the items that are measured, those of earlier visits included. */
export function useMeasuredTask(subjects: readonly TaskSubjectPlan[]): readonly TaskSubject[] {
  const found = useQueries({ queries: subjects.map(({ key }) => taskItemsQuery(key)), combine: (results) => results.map(({ data }) => data ?? NONE) });
  return useMemo(() => subjects.map(({ id, name, ratio }, index) => ({ id, name, ratio, items: found[index] ?? NONE })), [subjects, found]);
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
            { task, through, finished, repair: recovered === undefined ? await repairFor(client, plan) : { recovered } },
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
