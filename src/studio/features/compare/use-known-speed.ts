import { useEffect, useRef } from 'react';
import { useStudio } from '../../store.ts';
import { type Measurements, useCurrentMeasurements } from './measurements.ts';

interface KnownSpeed {
  readonly speed: Measurements['speed'];
  /** Of the recipe before, while this one has none of its own. */
  readonly isStale: boolean;
}

/** The last speeds that were measured, by model: what a new recipe begins with. */
let last: { readonly opening: number; readonly speed: Measurements['speed'] } | undefined;

/** Speeds of the present recipe by ratio, or those of the recipe before while none is measured: widths differ little between recipes at the same share. */
export function useKnownSpeed(): KnownSpeed {
  const { speed } = useCurrentMeasurements();
  const opening = useStudio((state) => state.opening);
  const remembered = useRef(last);
  useEffect(() => {
    if (speed.size === 0) return;
    last = { opening, speed };
    remembered.current = last;
  }, [speed, opening]);
  const before = remembered.current;
  if (speed.size > 0 || before?.opening !== opening) return { speed, isStale: false };
  return { speed: before.speed, isStale: true };
}
