import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { act, type ReactNode } from 'react';
import { createRoot } from 'react-dom/client';
import { syntheticScores } from '../../importance/testing/synthetic-scores.ts';
import { JobsProvider } from '../features/frame/jobs.tsx';
import { useStudio } from '../store.ts';

declare global {
  var IS_REACT_ACT_ENVIRONMENT: boolean;
}

/** Scores of a small model that does not exist: what the page plans from in tests. */
const SCORES = syntheticScores({ layers: 3, attentionGroups: 4, neurons: 64 });

/** The page's state as a new visitor has it. */
export function freshState(): void {
  localStorage.clear();
  useStudio.setState(useStudio.getInitialState(), true);
}

/** Renders into a document, with scores in the place of those that a server would send. Returns the element, the cache, and the way to end it. */
export async function render(content: ReactNode) {
  globalThis.IS_REACT_ACT_ENVIRONMENT = true;
  const client = new QueryClient({
    defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY, retry: false } },
  });
  client.setQueryData(['scores', 'precomputed', 'stories'], SCORES);
  client.setQueryData(['shipped', 'stories'], null);
  client.setQueryData(['text', 'stories', 'evaluation'], 'A text.');
  client.setQueryData(['text', 'stories', 'calibration'], 'A text.');
  const element = document.body.appendChild(document.createElement('div'));
  const root = createRoot(element);
  await act(async () =>
    root.render(
      <QueryClientProvider client={client}>
        <JobsProvider>{content}</JobsProvider>
      </QueryClientProvider>,
    ),
  );
  return {
    element,
    client,
    end: async () => {
      await act(async () => root.unmount());
      element.remove();
      client.clear();
    },
  };
}

/** Lets so much time pass, with all that happens in it drawn. */
export async function pass(milliseconds: number): Promise<void> {
  await act(async () => {
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
  });
}

/** Waits until a check passes; its own failure is thrown when it does not within ten seconds. */
export async function until(check: () => void): Promise<void> {
  const end = Date.now() + 10_000;
  for (;;) {
    try {
      return check();
    } catch (error) {
      if (Date.now() > end) throw error;
      await pass(20);
    }
  }
}

/** Presses a button of an element by its words. */
export async function press(element: HTMLElement, words: string): Promise<void> {
  const button = [...element.querySelectorAll('button')].find(({ textContent }) => textContent === words);
  await act(async () => button?.click());
}

/** Changes the state, and lets what follows from it be drawn. */
export async function change(what: (state: ReturnType<typeof useStudio.getState>) => void): Promise<void> {
  await act(async () => what(useStudio.getState()));
}
