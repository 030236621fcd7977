import type { QueryClient, QueryKey } from '@tanstack/react-query';
import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useMemo, useRef, useSyncExternalStore } from 'react';
import { useShallow } from 'zustand/react/shallow';
import type { SpeedComparison } from '../../../evaluate/speed/speed.ts';
import type { Scores } from '../../../importance/sums/scores.ts';
import { parseMethod } from '../../../plan/methods/methods.ts';
import type { PerplexityMeasurement } from '../../../worker/engine.ts';
import { textKey } from '../../data/text.ts';
import { useBackend, useScores } from '../../data/use-engine.ts';
import { useStudio } from '../../store.ts';
import { planFingerprint } from '../plan/plan-fingerprint.ts';
import { repairKey } from '../plan/repair.ts';
import type { RecipeChoices } from '../plan/slice.ts';
import { useGivenPlan } from '../plan/use-plan.ts';
import type { RecoveredColumn } from '../recovery/slice.ts';
import { ratioKey, type SweepStep } from './sweep.ts';

/** The settings that measuring depends on, from the state. */
export function useMeasureSettings(): MeasureSettings {
  const { data: backend } = useBackend();
  const given = useGivenPlan();
  return useStudio(
    useShallow(({ measureText, measureWindows, measureLength, speedTokens, speedSeconds, ...state }) => ({
      ...{ textKey: textKey(measureText), measureWindows, measureLength, speedTokens, speedSeconds },
      ...{ repairKey: repairKey(state), backend: backend?.backend ?? 'none' },
      given: given ? planFingerprint(given.plan) : '',
    })),
  );
}

/** What perplexity is measured on now, for people. */
export function useMeasuredOn(): string {
  const measureText = useStudio((state) => state.measureText);
  const { measureWindows, measureLength, backend } = useMeasureSettings();
  return `${measureText.kind === 'own' ? measureText.name : 'shipped text'}, ${measureWindows} × ${measureLength} tokens, ${backend}`;
}

/** How is measured: part of every key, so that numbers made differently never share a curve. */
export interface MeasureSettings {
  /** Which text: `textKey`. */
  readonly textKey: string;
  readonly measureWindows: number;
  readonly measureLength: number;
  readonly speedTokens: number;
  readonly speedSeconds: number;
  /** What repairs learn from: `repairKey`. */
  readonly repairKey: string;
  /** Which groups were given in the place of planned ones: their fingerprint; '' for none. */
  readonly given: string;
  /** Where is measured: speeds are the backend's. */
  readonly backend: string;
}

/** Everything of a recipe and its scores that a curve holds fixed: all but the target, the export's dtype and what a search measured. */
function recipeFamily(
  scores: Scores,
  recipe: RecipeChoices,
  { repairKey: repair, given }: Pick<MeasureSettings, 'repairKey' | 'given'>,
): string {
  const { target: _target, dtype: _dtype, measured: _measured, ...fixed } = recipe;
  const { sha256, windows, length, seed } = scores.calibration;
  return JSON.stringify([
    scores.model.sha256,
    scores.engine.backend,
    sha256,
    windows,
    length,
    seed,
    fixed,
    ...(isRepaired(recipe) ? [repair] : []),
    ...(given === '' ? [] : [given]),
  ]);
}

function isRepaired({ compensate = 'none' }: RecipeChoices): boolean {
  return compensate !== 'none';
}

/** The recipe that a step measures: the reader's, or another method's under the same protection, with the repair that its name asks for or else the reader's. */
export function recipeOf({ method }: SweepStep, recipe: RecipeChoices): RecipeChoices {
  if (method === undefined) return recipe;
  const { target, protect, dtype, seed, compensate = 'none' } = recipe;
  const other = parseMethod(method);
  return {
    target,
    ...(protect && { protect }),
    ...(dtype && { dtype }),
    ...(seed !== undefined && { seed }),
    ...other.recipe,
    compensate: method.includes('+') ? (other.recipe.compensate ?? 'none') : compensate,
  };
}

/** Cache key of one measured value. The dense model (ratio 0) belongs to every family. */
export function measurementKey(
  step: SweepStep,
  scores: Scores,
  recipe: RecipeChoices,
  settings: MeasureSettings,
): QueryKey {
  const { ratio, what } = step;
  const how =
    what === 'perplexity'
      ? [settings.textKey, settings.measureWindows, settings.measureLength]
      : [settings.speedTokens, settings.speedSeconds];
  const family =
    ratio === 0
      ? JSON.stringify(['dense', scores.model.sha256])
      : recipeFamily(scores, recipeOf(step, recipe), step.method === undefined ? settings : { ...settings, given: '' });
  return ['measured', what, [settings.backend, ...how].join(), family, ratioKey(ratio)];
}

/** A recovered model that was measured; it outlives the model itself, which goes with the page. */
export interface RecoveredMeasurement {
  /** '50% removed, LoRA'. */
  readonly name: string;
  readonly ratio: number;
  readonly perplexity: PerplexityMeasurement;
}

/** Cache key of a recovered model's perplexity: the last training of a method at a ratio stands for it. */
export function recoveredKey(
  { recipe, plan, method }: Pick<RecoveredColumn, 'recipe' | 'plan' | 'method'>,
  scores: Scores,
  settings: MeasureSettings,
): QueryKey {
  return [...recoveredPrefix(scores, recipe, settings), ratioKey(plan.ratio), method];
}

function recoveredPrefix(scores: Scores, recipe: RecipeChoices, settings: MeasureSettings): QueryKey {
  const { backend, textKey, measureWindows, measureLength } = settings;
  return [
    'measured',
    'recovered',
    [backend, textKey, measureWindows, measureLength].join(),
    recipeFamily(scores, recipe, settings),
  ];
}

/** Cache key of what a built file gave, in its own number format. */
export function exportedKey(
  ratio: number,
  dtype: string,
  scores: Scores,
  recipe: RecipeChoices,
  settings: MeasureSettings,
): QueryKey {
  const { backend, textKey, measureWindows, measureLength } = settings;
  const how = [backend, textKey, measureWindows, measureLength].join();
  return ['measured', 'exported', how, recipeFamily(scores, recipe, settings), ratioKey(ratio), dtype];
}

export interface Measurements {
  readonly perplexity: ReadonlyMap<number, PerplexityMeasurement>;
  /** Perplexity of other methods, by name. */
  readonly methods: ReadonlyMap<string, ReadonlyMap<number, PerplexityMeasurement>>;
  readonly speed: ReadonlyMap<number, SpeedComparison>;
  /** What built files gave in their own number format, by ratio and format: '0.2 q4'. */
  readonly exported: ReadonlyMap<string, PerplexityMeasurement>;
  /** Recovered models, by ratio. */
  readonly recovered: readonly RecoveredMeasurement[];
}

function collect<Value>(
  client: QueryClient,
  step: Omit<SweepStep, 'ratio'>,
  scores: Scores,
  recipe: RecipeChoices,
  settings: MeasureSettings,
): Map<number, Value> {
  const found = new Map<number, Value>();
  for (const ratio of step.method ? [1] : [0, 1]) {
    const prefix = measurementKey({ ...step, ratio }, scores, recipe, settings).slice(0, -1);
    for (const [key, value] of client.getQueriesData<Value>({ queryKey: prefix })) {
      const at = key.at(-1);
      if (typeof at === 'number' && value !== undefined) found.set(at, value);
    }
  }
  return new Map([...found].sort(([a], [b]) => a - b));
}

const NOTHING: Measurements = {
  perplexity: new Map(),
  methods: new Map(),
  speed: new Map(),
  exported: new Map(),
  recovered: [],
};

/** What has been measured for a recipe, by ratio; 0 is the dense model. Follows the cache. */
function useMeasurements(scores: Scores | undefined, recipe: RecipeChoices, settings: MeasureSettings): Measurements {
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
  const comparedMethods = useStudio((state) => state.comparedMethods);
  const family = scores && recipeFamily(scores, recipe, settings);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `present` stands for the cache's content, and `family` for all of a recipe that keys depend on.
  return useMemo(() => {
    if (!scores) return NOTHING;
    const of = <Value>(step: Omit<SweepStep, 'ratio'>) => collect<Value>(client, step, scores, recipe, settings);
    return {
      perplexity: of<PerplexityMeasurement>({ what: 'perplexity' }),
      methods: new Map(
        comparedMethods.map((method) => [method, of<PerplexityMeasurement>({ what: 'perplexity', method })]),
      ),
      speed: of<SpeedComparison>({ what: 'speed' }),
      exported: new Map(
        client
          .getQueriesData<PerplexityMeasurement>({
            queryKey: exportedKey(0, '', scores, recipe, settings).slice(0, -2),
          })
          .flatMap(([key, value]) => (value ? [[`${key.at(-2)} ${key.at(-1)}`, value]] : [])),
      ),
      recovered: client
        .getQueriesData<RecoveredMeasurement>({ queryKey: recoveredPrefix(scores, recipe, settings) })
        .flatMap(([, value]) => value ?? [])
        .sort((a, b) => a.ratio - b.ratio),
    };
  }, [client, scores, family, comparedMethods, settings, present]);
}

/** What has been measured for what the page shows now. */
export function useCurrentMeasurements(): Measurements {
  const { data: scores } = useScores();
  const recipe = useStudio((state) => state.recipe);
  const settings = useMeasureSettings();
  return useMeasurements(scores, recipe, settings);
}
