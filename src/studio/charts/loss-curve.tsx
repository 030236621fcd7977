import { line, scaleLinear } from 'd3';
import { BaseAxis, ValueGrid } from './axes.tsx';
import { ChartTitle } from './chart-title.tsx';
import { round } from './round.ts';

/** One step of a training; losses in nats, undefined where there is none. Step 0 is before the first. */
export interface LossPoint {
  readonly step: number;
  readonly loss: number | undefined;
  readonly heldOutLoss: number | undefined;
}

const MARGIN = { top: 30, right: 14, bottom: 34, left: 46 };
const HEIGHT = 220;

/** Loss over the steps of a training while it goes: a thin line for the text that is trained on, points for the held-out text, a ring at the best one. */
export function LossCurve({
  points,
  steps,
  best,
  width,
}: {
  readonly points: readonly LossPoint[];
  /** Steps of the whole training. */
  readonly steps: number;
  /** Step of the lowest held-out loss so far. */
  readonly best: number | undefined;
  readonly width: number;
}) {
  const right = Math.max(MARGIN.left + 1, width - MARGIN.right);
  const bottom = HEIGHT - MARGIN.bottom;
  const trained = series(points, 'loss');
  const heldOut = series(points, 'heldOutLoss');
  const all = [...trained, ...heldOut];
  const x = scaleLinear([0, Math.max(1, steps)], [MARGIN.left, right]);
  const y = lossScale(all, [bottom, MARGIN.top]);
  const path = (of: readonly Value[]) =>
    line<Value>(
      ({ step }) => round(x(step)),
      ({ value }) => round(y(value)),
    )(of) ?? undefined;
  return (
    <svg
      className="loss-curve"
      width={width}
      height={HEIGHT}
      viewBox={`0 0 ${width} ${HEIGHT}`}
      role="img"
      aria-label={summary(heldOut, steps)}
    >
      <ChartTitle title="Loss" unit="nats">
        <tspan className="key-trained" dx={10}>
          — training text
        </tspan>
        <tspan className="key-held-out" dx={10}>
          ● held-out text
        </tspan>
      </ChartTitle>
      {all.length > 0 && <ValueGrid ticks={y.ticks(4)} scale={y} left={MARGIN.left} right={right} />}
      <BaseAxis
        ticks={x.ticks(Math.min(5, Math.max(1, steps))).filter((tick) => Number.isInteger(tick))}
        scale={x}
        left={MARGIN.left}
        right={right}
        bottom={bottom}
        format={String}
      />
      <text className="axis-text" x={right} y={HEIGHT - 3} textAnchor="end">
        steps
      </text>
      {trained.length > 0 && <path className="loss-line" d={path(trained)} />}
      {heldOut.length > 0 && <path className="held-out-line" d={path(heldOut)} />}
      {heldOut.map(({ step, value }) => (
        <circle
          key={step}
          className={step === best ? 'held-out-point best' : 'held-out-point'}
          cx={round(x(step))}
          cy={round(y(value))}
          r={step === best ? 4.5 : 3}
        >
          <title>{`Held out after step ${step}: ${value.toFixed(3)} nats${step === best ? ', the best' : ''}`}</title>
        </circle>
      ))}
      {all.length === 0 && (
        <text className="chart-empty" x={(MARGIN.left + right) / 2} y={(MARGIN.top + bottom) / 2} textAnchor="middle">
          no step made yet
        </text>
      )}
    </svg>
  );
}

interface Value {
  readonly step: number;
  readonly value: number;
}

function series(points: readonly LossPoint[], of: 'loss' | 'heldOutLoss'): Value[] {
  return points.flatMap((point) => {
    const value = point[of];
    return value === undefined ? [] : [{ step: point.step, value }];
  });
}

/** Over what there is, with air above and below; losses far from 0 do not start at 0. */
function lossScale(values: readonly Value[], range: readonly [number, number]) {
  const losses = values.map(({ value }) => value);
  const [low, high] = losses.length > 0 ? [Math.min(...losses), Math.max(...losses)] : [0, 1];
  const air = Math.max(0.02, (high - low) * 0.12);
  return scaleLinear([Math.max(0, low - air), high + air], range);
}

function summary(heldOut: readonly Value[], steps: number): string {
  const [first, last] = [heldOut[0], heldOut.at(-1)];
  if (!first || !last) return 'Loss over the steps of the training. No step made yet.';
  return `Loss over ${steps} steps. Held-out loss ${first.value.toFixed(3)} nats before, ${last.value.toFixed(3)} after step ${last.step}.`;
}
