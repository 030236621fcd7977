import { formatPercent } from '../../parts/format.ts';
import { useStudio } from '../../store.ts';
import { valueOn } from '../compare/known-curve.ts';
import { formatTimes } from '../compare/speed-ratio.ts';
import { useKnownCurve } from '../compare/use-known-curve.ts';
import { LARGEST_RATIO } from '../curve/ratio-slider.tsx';
import { useReach } from '../plan/use-plan.ts';

/** Ratios by what they are good for. */
const PRESETS = [
  { ratio: 0.1, purpose: 'Gentle' },
  { ratio: 0.2, purpose: 'Balanced' },
  { ratio: 0.35, purpose: 'Small' },
  { ratio: 0.5, purpose: 'Smallest' },
] as const;

/** Ratios to jump to, each with what it costs in perplexity as far as that is known. */
export function Presets() {
  const curve = useKnownCurve();
  const reach = useReach(LARGEST_RATIO);
  const target = useStudio((state) => state.recipe.target);
  const setRatio = useStudio((state) => state.setRatio);
  const dense = valueOn(curve, 0)?.value;
  return (
    <fieldset className="presets">
      <legend className="visually-hidden">Ratios by purpose</legend>
      {PRESETS.map(({ ratio, purpose }) => {
        const value = valueOn(curve, ratio)?.value;
        const cost = value === undefined || dense === undefined ? undefined : `×${formatTimes(value / dense)}`;
        const isChosen = target.kind === 'ratio' && target.value === ratio;
        return (
          <button
            key={ratio}
            type="button"
            className={isChosen ? 'preset chosen' : 'preset'}
            aria-pressed={isChosen}
            aria-label={`${purpose}: ${formatPercent(ratio)}${cost ? `, perplexity ${cost}` : ''}`}
            disabled={ratio > reach}
            onClick={() => setRatio(ratio)}
          >
            <span className="preset-purpose">{purpose}</span>
            <span className="preset-cost">
              {formatPercent(ratio)}
              {cost && <span className="soft"> {cost}</span>}
            </span>
          </button>
        );
      })}
    </fieldset>
  );
}
