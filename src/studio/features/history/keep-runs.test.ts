import { expect, it } from 'vitest';
import { INITIAL_RECIPE } from '../plan/slice.ts';
import { mergedRuns } from './keep-runs.ts';
import type { Run } from './run.ts';
import { LARGEST_HISTORY } from './slice.ts';

const run = (id: string, at: number): Run => ({
  ...{ id, at, model: { name: 'm', sha256: 'abc' }, recipe: INITIAL_RECIPE, ratio: 0.2, bytes: 3200 },
  ...{ parametersBefore: 1000, parametersAfter: 800, widths: [], measuredOn: 'text' },
  perplexity: { perplexity: 20, standardError: 1, tokens: 60, windows: 4, seconds: 1 },
});
const ids = (runs: readonly Run[]) => runs.map(({ id }) => id);

it('keeps what another tab added, and not what this one removed', () => {
  const stored = [run('theirs', 3), run('removed', 2), run('both', 1)];
  expect(ids(mergedRuns(stored, [run('mine', 4), run('both', 1)], new Set(['removed'])))).toEqual([
    'mine',
    'theirs',
    'both',
  ]);
});

it('keeps the newest where there are too many', () => {
  const stored = Array.from({ length: LARGEST_HISTORY }, (_, index) => run(`old ${index}`, index));
  const kept = mergedRuns(stored, [run('new', 1000)], new Set());
  expect(kept).toHaveLength(LARGEST_HISTORY);
  expect(ids(kept)[0]).toBe('new');
  expect(ids(kept)).not.toContain('old 0');
});
