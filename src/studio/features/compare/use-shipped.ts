import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { SCORE_METHODS } from '../../../plan/methods/methods.ts';
import { fetchEmbedded } from '../../data/embedded.ts';
import { useScores } from '../../data/use-engine.ts';
import { useStudio } from '../../store.ts';
import { parseShippedCurve, type ShippedCurve, type ShippedPoint } from '../model/shipped-curve.ts';
import { EMBEDDED_MODEL } from '../model/slice.ts';
import { INITIAL_RECIPE, type RecipeChoices } from '../plan/slice.ts';
import { useGivenPlan } from '../plan/use-plan.ts';
import type { RatioValue } from './estimate.ts';

const NONE: readonly RatioValue[] = [];

/** What is shipped with the model that is on the bench; undefined for another one, and where the server has none. */
export function useShipped(): ShippedCurve | undefined {
  const { data: scores } = useScores();
  const isEmbedded = useStudio(({ chosenModel }) => chosenModel.kind === 'embedded');
  const { data } = useQuery({
    queryKey: ['shipped', EMBEDDED_MODEL],
    enabled: isEmbedded,
    queryFn: async ({ signal }) =>
      parseShippedCurve(await (await fetchEmbedded(EMBEDDED_MODEL, 'curve.json', signal)).json()),
  });
  return isEmbedded && data && data.model.sha256 === scores?.model.sha256 ? data : undefined;
}

/** The shipped method that a recipe is, as it is by default in all else; undefined for any other. */
export function shippedMethod(recipe: RecipeChoices): string | undefined {
  const { target: _target, dtype: _dtype, metric, search, fusion, fusionScope, ...rest } = recipe;
  const usual = Object.entries(rest).every(
    ([name, value]) =>
      Object.is(value, INITIAL_RECIPE[name as keyof RecipeChoices]) || (Array.isArray(value) && value.length === 0),
  );
  if (!usual) return undefined;
  return SCORE_METHODS.find(
    (method) =>
      method.metric === metric &&
      method.search === search &&
      (method.fusion ?? 'shared') === (fusion ?? 'shared') &&
      (method.fusionScope ?? 'model') === (fusionScope ?? 'model'),
  )?.name;
}

/** What the curves are of, by its name in the shipped file. */
type Quantity = 'perplexity' | 'klDivergence';

/** Values that are shipped with the page for the present model and recipe, by ratio; none where nothing is. */
export function useShippedCurve(quantity: Quantity): readonly RatioValue[] {
  const shipped = useShipped();
  const given = useGivenPlan();
  const method = useStudio(({ recipe }) => (given ? undefined : shippedMethod(recipe)));
  return useMemo(() => pointsOf(shipped, method, quantity), [shipped, method, quantity]);
}

function pointsOf(shipped: ShippedCurve | undefined, method: string | undefined, quantity: Quantity) {
  const points = shipped?.methods.find(({ name }) => name === method)?.points;
  if (!shipped || !points) return NONE;
  const dense = quantity === 'perplexity' ? [{ ratio: 0, value: shipped.dense.perplexity }] : [];
  return [...dense, ...valuesOf(points, quantity)];
}

function valuesOf(points: readonly ShippedPoint[], quantity: Quantity): RatioValue[] {
  return points.flatMap(({ ratio, [quantity]: value }) => (value === undefined ? [] : [{ ratio, value }]));
}

/** Lines of other methods as they are shipped, by name. */
export function useShippedMethods(): ReadonlyMap<string, readonly RatioValue[]> {
  const shipped = useShipped();
  return useMemo(
    () => new Map(shipped?.methods.map(({ name, points }) => [name, valuesOf(points, 'perplexity')]) ?? []),
    [shipped],
  );
}
