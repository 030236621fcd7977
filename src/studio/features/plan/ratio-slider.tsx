import type { CSSProperties } from 'react';
import { formatPercent } from '../../parts/format.ts';
import { useStudio } from '../../store.ts';

/** Ratios the page offers; beyond it too little of a model is left to speak of. */
export const LARGEST_RATIO = 0.8;

/** How much goes. Every step plans anew. */
export function RatioSlider({
  ratio,
  label,
  id,
}: {
  readonly ratio: number;
  readonly label: string;
  readonly id?: string;
}) {
  const setRatio = useStudio((state) => state.setRatio);
  return (
    <input
      id={id}
      className="ratio-slider"
      type="range"
      min={0}
      max={LARGEST_RATIO}
      step={0.005}
      value={ratio}
      style={{ '--share': `${(ratio / LARGEST_RATIO) * 100}%` } as CSSProperties}
      aria-label={label}
      aria-valuetext={formatPercent(ratio)}
      onChange={(event) => setRatio(Number(event.target.value))}
    />
  );
}
