import type { QueryClient, QueryKey } from '@tanstack/react-query';
import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useMemo, useRef, useSyncExternalStore } from 'react';
import type { Scores } from '../../saap/scores.ts';
import type { PerplexityMeasurement, SpeedComparison } from '../../worker/engine.ts';
import { ratioKey, type SweepStep } from '../planning/sweep.ts';
import type { RecipeChoices } from '../state/recipe-slice.ts';

/** How is measured: part of every key, so that numbers made differently never share a curve. */
export interface MeasureSettings {
  readonly measureWindows: number;
  readonly measureLength: number;
  readonly speedTokens: number;
  readonly speedRepeats: number;
}

/** Everything of a recipe and its scores that a curve holds fixed: all but the target and the export's dtype. */
export function recipeFamily(scores: Scores, recipe: RecipeChoices): string {
  const { target: _target, dtype: _dtype, ...fixed } = recipe;
  const { sha256, windows, length, seed } = scores.calibration;
  return JSON.stringify([scores.model.sha256, scores.engine.backend, sha256, windows, length, seed, fixed]);
}

/** Cache key of one measured value. The dense model (ratio 0) belongs to every family. */
export function measurementKey({ ratio, what }: SweepStep, scores: Scores, recipe: RecipeChoices, settings: MeasureSettings): QueryKey {
  const how = what === 'perplexity' ? [settings.measureWindows, settings.measureLength] : [settings.speedTokens, settings.speedRepeats];
  const family = ratio === 0 ? ['dense', scores.model.sha256] : recipeFamily(scores, recipe);
  return ['measured', what, how.join(), family, ratioKey(ratio)];
}

export interface Measurements {
  readonly perplexity: ReadonlyMap<number, PerplexityMeasurement>;
  readonly speed: ReadonlyMap<number, SpeedComparison>;
}

function collect<Value>(client: QueryClient, what: SweepStep['what'], scores: Scores, recipe: RecipeChoices, settings: MeasureSettings): Map<number, Value> {
  const found = new Map<number, Value>();
  for (const example of [0, 1]) {
    const prefix = measurementKey({ ratio: example, what }, scores, recipe, settings).slice(0, -1);
    for (const [key, value] of client.getQueriesData<Value>({ queryKey: prefix })) {
      const ratio = key.at(-1);
      if (typeof ratio === 'number' && value !== undefined) found.set(ratio, value);
    }
  }
  return new Map([...found].sort(([a], [b]) => a - b));
}

const NOTHING: Measurements = { perplexity: new Map(), speed: new Map() };

/** What has been measured for the present recipe, by ratio; 0 is the dense model. Follows the cache. */
export function useMeasurements(scores: Scores | undefined, recipe: RecipeChoices, settings: MeasureSettings): Measurements {
  const client = useQueryClient();
  const version = useRef(0);
  const subscribe = useCallback(
    (notify: () => void) =>
      client.getQueryCache().subscribe(({ query, type }) => {
        if (query.queryKey[0] !== 'measured' || type === 'observerAdded' || type === 'observerRemoved') return;
        version.current += 1;
        notify();
      }),
    [client],
  );
  const present = useSyncExternalStore(subscribe, () => version.current);
  const { measureWindows, measureLength, speedTokens, speedRepeats } = settings;
  // `present` stands for the cache's content.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the cache is read again when its version changes.
  return useMemo(() => {
    if (!scores) return NOTHING;
    const how = { measureWindows, measureLength, speedTokens, speedRepeats };
    return { perplexity: collect(client, 'perplexity', scores, recipe, how), speed: collect(client, 'speed', scores, recipe, how) };
  }, [client, scores, recipe, measureWindows, measureLength, speedTokens, speedRepeats, present]);
}
