import { useEffect, useMemo, useRef } from 'react';
import { useStudio } from '../../store.ts';
import { type KnownCurve, knownCurve } from './known-curve.ts';
import { useCurrentMeasurements } from './measurements.ts';
import { useShippedCurve } from './use-shipped.ts';

/** The last curve that had points of its own, by model: what a new recipe begins with. */
let last: { readonly opening: number; readonly curve: KnownCurve } | undefined;

/** The perplexity curve of the present recipe, completed by what is shipped, or that of the recipe before while this one has none. */
export function useKnownCurve(): KnownCurve {
  const { perplexity } = useCurrentMeasurements();
  const shipped = useShippedCurve();
  const opening = useStudio((state) => state.opening);
  const remembered = useRef(last);
  const curve = useMemo(() => {
    const before = remembered.current?.opening === opening ? remembered.current.curve : undefined;
    return knownCurve(perplexity, shipped, before);
  }, [perplexity, shipped, opening]);
  useEffect(() => {
    if (curve.isStale || curve.points.length < 2) return;
    last = { opening, curve };
    remembered.current = last;
  }, [curve, opening]);
  return curve;
}
