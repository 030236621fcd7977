import type { QueryClient } from '@tanstack/react-query';
import type { TaskItemResult } from '../../../library/tasks.ts';
import { keep, kept } from '../../data/kept.ts';
import type { TaskItems } from './task-rows.ts';

const INDEX = 'task-items';
/** Results of so many models and tasks are kept; the oldest go first. */
const LARGEST = 120;

/** The query that holds finished items under a key; what an earlier visit kept comes first. */
export function taskItemsQuery(key: string) {
  return {
    queryKey: [INDEX, key],
    queryFn: async (): Promise<TaskItems> => readItems(await kept(nameOf(key))),
  } as const;
}

let writing: Promise<void> = Promise.resolve();

/** Adds items to what is there: at once on the page, and one after the other for the next visit. */
export function addTaskItems(client: QueryClient, key: string, items: readonly TaskItemResult[]): Promise<void> {
  const before = client.getQueryData<TaskItems>([INDEX, key]);
  const all = new Map([...(before ?? []), ...items.map(({ item, logLikelihoods }) => [item, logLikelihoods] as const)]);
  client.setQueryData([INDEX, key], all);
  writing = writing.then(async () => {
    await keep(nameOf(key), [...all]);
    if (!before || before.size === 0) await remember(key);
  });
  return writing;
}

async function remember(key: string): Promise<void> {
  const index = await kept(INDEX);
  const known = Array.isArray(index)
    ? index.filter((name): name is string => typeof name === 'string' && name !== key)
    : [];
  const all = [...known, key];
  for (const old of all.slice(0, -LARGEST)) await keep(nameOf(old), undefined);
  await keep(INDEX, all.slice(-LARGEST));
}

const nameOf = (key: string) => `${INDEX}:${key}`;

/** Kept values may come from another version of the page: what is no item is left out. */
function readItems(value: unknown): TaskItems {
  if (!Array.isArray(value)) return new Map();
  return new Map(
    value.filter(
      (entry): entry is [number, number[]] => Array.isArray(entry) && Number.isInteger(entry[0]) && isNumbers(entry[1]),
    ),
  );
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'number');
}
