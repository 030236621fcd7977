import type { CSSProperties } from 'react';
import { THUMB_RADIUS } from '../../charts/slider-curve.tsx';
import { formatPercent } from '../../parts/format.ts';
import { useStudio } from '../../store.ts';

/** Ratios the page offers; beyond it too little of a model is left to speak of. */
export const LARGEST_RATIO = 0.8;

/** How much goes. Every step plans anew; what the recipe cannot reach is marked on the track. */
export function RatioSlider({
  ratio,
  reach,
  label,
  isMissed = false,
}: {
  readonly ratio: number;
  /** The largest ratio that can be planned. */
  readonly reach: number;
  readonly label: string;
  /** The present ratio cannot be planned. */
  readonly isMissed?: boolean;
}) {
  const setRatio = useStudio((state) => state.setRatio);
  const place = (at: number) =>
    `calc(${THUMB_RADIUS}px + (100% - ${2 * THUMB_RADIUS}px) * ${Math.min(1, Math.max(0, at / LARGEST_RATIO))})`;
  return (
    <input
      className={isMissed ? 'ratio-slider missed' : 'ratio-slider'}
      type="range"
      min={0}
      max={LARGEST_RATIO}
      step={0.005}
      value={Math.min(ratio, LARGEST_RATIO)}
      style={{ '--share': place(ratio), '--reach': reach >= LARGEST_RATIO ? '100%' : place(reach) } as CSSProperties}
      aria-label={label}
      aria-valuetext={`${formatPercent(ratio)}${isMissed ? ', out of reach' : ''}`}
      onChange={(event) => setRatio(Number(event.target.value))}
    />
  );
}
