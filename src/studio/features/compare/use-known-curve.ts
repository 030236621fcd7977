import { useEffect, useMemo, useRef } from 'react';
import { useStudio } from '../../store.ts';
import type { RatioValue } from './estimate.ts';
import { divergencePoints, type KnownCurve, knownCurve, type OwnPoint, perplexityPoints } from './known-curve.ts';
import { type Measurements, useCurrentMeasurements } from './measurements.ts';
import { useShippedCurve } from './use-shipped.ts';

/** The last curves that had points of their own, by quantity, each of a model: what a new recipe begins with. */
const last = new Map<string, { readonly opening: number; readonly curve: KnownCurve }>();

/** The perplexity curve of the present recipe, completed by what is shipped, or that of the recipe before while this one has none. */
export function useKnownCurve(): KnownCurve {
  return useKnown('perplexity', perplexityPoints, useShippedCurve('perplexity'));
}

/** The same of the KL divergence from the dense model, in nats a token. It has no point at 0, where there is none. */
export function useKnownDivergence(): KnownCurve {
  return useKnown('divergence', divergencePoints, useShippedCurve('klDivergence'));
}

function useKnown(
  what: string,
  pointsOf: (measured: Measurements['perplexity']) => OwnPoint[],
  shipped: readonly RatioValue[],
): KnownCurve {
  const { perplexity } = useCurrentMeasurements();
  const opening = useStudio((state) => state.opening);
  const remembered = useRef(last.get(what));
  const curve = useMemo(() => {
    const before = remembered.current?.opening === opening ? remembered.current.curve : undefined;
    return knownCurve(pointsOf(perplexity), shipped, before);
  }, [pointsOf, perplexity, shipped, opening]);
  useEffect(() => {
    if (curve.isStale || curve.points.length < 2) return;
    remembered.current = { opening, curve };
    last.set(what, remembered.current);
  }, [what, curve, opening]);
  return curve;
}
