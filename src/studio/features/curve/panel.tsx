import { type CSSProperties, useMemo } from 'react';
import { SliderCurve, sliderScale } from '../../charts/slider-curve.tsx';
import { useWidth } from '../../charts/use-width.ts';
import { formatPercent, formatPerplexity } from '../../parts/format.ts';
import { useStudio, useStudioFields } from '../../store.ts';
import { estimateCurve } from '../compare/estimate.ts';
import { valueOn } from '../compare/known-curve.ts';
import { useCurrentMeasurements } from '../compare/measurements.ts';
import { useKnownCurve } from '../compare/use-known-curve.ts';
import { useShippedMethods } from '../compare/use-shipped.ts';
import { usePlan, useRatio, useReach } from '../plan/use-plan.ts';
import { LARGEST_RATIO, RatioSlider } from './ratio-slider.tsx';

const HEIGHT = 84;
const TICKS = [0, 0.2, 0.4, 0.6, 0.8] as const;

/** The slider, and above it what every one of its places costs: the slider's track is the curve's x axis. */
export function RatioCurve() {
  const ratio = useRatio();
  const reach = useReach(LARGEST_RATIO);
  const outcome = usePlan();
  const curve = useKnownCurve();
  const { ref, width } = useWidth<HTMLDivElement>();
  const measured = useCurrentMeasurements();
  const { setRatio, curveMethods, comparedMethods, measuringRatio, setBench } = useStudioFields(
    'setRatio',
    'curveMethods',
    'comparedMethods',
    'measuringRatio',
    'setBench',
  );
  const shippedMethods = useShippedMethods();
  const measuring = useStudio(({ tasks }) => tasks.perplexity !== undefined);
  const estimate = useMemo(() => estimateCurve(curve.points, 64), [curve]);
  const others = useMemo(
    () =>
      curveMethods
        ? [...measured.methods].map(([name, values]) => {
            const own = [...values].map(([at, { perplexity }]) => ({ ratio: at, value: perplexity }));
            return { name, points: own.length > 1 ? own : (shippedMethods.get(name) ?? own) };
          })
        : [],
    [curveMethods, measured.methods, shippedMethods],
  );
  const [dense, here] = [valueOn(curve, 0), valueOn(curve, ratio)];
  const isMissed = outcome !== undefined && !outcome.ok;
  const drawn = Math.max(200, width);
  const x = sliderScale(drawn, LARGEST_RATIO);
  return (
    <section className="curve" aria-labelledby="curve-title">
      <div className="curve-head">
        <h2 id="curve-title">Perplexity</h2>
        {dense && (
          <span className="curve-reading">
            {formatPerplexity(dense.value)} dense <span aria-hidden="true">→</span>
            <span className="visually-hidden">to</span>{' '}
            <strong className={here?.source === 'own' ? undefined : 'estimate'}>
              {here ? `${here.source === 'own' ? '' : '≈ '}${formatPerplexity(here.value)}` : '–'}
            </strong>{' '}
            at {formatPercent(ratio)}
          </span>
        )}
        <span className="soft curve-hint">
          {curve.isStale ? 'grey: the recipe before' : 'lower is better · drag anywhere on the curve'}
        </span>
        {comparedMethods.length > 0 && (
          <label className="check curve-methods" title={comparedMethods.join(', ')}>
            <input
              type="checkbox"
              checked={curveMethods}
              onChange={(event) => setBench({ curveMethods: event.target.checked })}
            />
            with other methods
          </label>
        )}
      </div>
      <div className="curve-body" ref={ref}>
        <SliderCurve
          label="Perplexity over the ratio"
          points={curve.points}
          estimate={estimate}
          stale={curve.isStale}
          others={others}
          ratio={Math.min(ratio, LARGEST_RATIO)}
          value={here?.value}
          measuring={measuring ? measuringRatio : undefined}
          maximumRatio={LARGEST_RATIO}
          format={formatPerplexity}
          width={drawn}
          height={HEIGHT}
          onRatio={setRatio}
        />
        <RatioSlider ratio={ratio} reach={reach} label="Ratio to remove" isMissed={isMissed} />
        <div className="curve-ticks" aria-hidden="true">
          {TICKS.map((tick) => (
            <span key={tick} style={{ '--x': `${x(tick)}px` } as CSSProperties}>
              {formatPercent(tick)}
            </span>
          ))}
        </div>
        {reach < LARGEST_RATIO && (
          <p className="curve-reach small">
            From {formatPercent(Math.floor(reach * 1000) / 1000)} on, protected layers and the minimum of every layer
            stand in the way.
          </p>
        )}
      </div>
    </section>
  );
}
