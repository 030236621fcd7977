import { area, line, scaleLinear } from 'd3';
import type { PointerEvent } from 'react';
import { formatTick } from './axes.tsx';
import { round } from './round.ts';
import { logarithmicScale } from './value-scale.ts';

export interface CurvePoint {
  readonly ratio: number;
  readonly value: number;
  /** Half-width of its error bar, in the same unit; 0 draws none. */
  readonly error: number;
  readonly source: 'own' | 'shipped';
}

/** Half the width of the slider's thumb: its centre stands on the curve's x axis. */
export const THUMB_RADIUS = 11;
const TOP = 8;
const BOTTOM = 6;

/** The x axis that the curve shares with the slider below it. */
export function sliderScale(width: number, maximumRatio: number) {
  return scaleLinear([0, maximumRatio], [THUMB_RADIUS, Math.max(THUMB_RADIUS + 1, width - THUMB_RADIUS)]);
}

/**
 * One quantity over the ratio, above the slider that sets it: measured points, the estimate between them, the dense model as a line, what the chosen ratio costs as the
 * area between the two. A press or drag anywhere gives the ratio there.
 */
export function SliderCurve({
  label,
  points,
  estimate,
  stale,
  others = [],
  ratio,
  value,
  measuring,
  maximumRatio,
  format,
  width,
  height,
  onRatio,
}: {
  readonly label: string;
  readonly points: readonly CurvePoint[];
  readonly estimate: readonly { readonly ratio: number; readonly value: number }[];
  /** The curve is of the recipe before. */
  readonly stale: boolean;
  readonly others?: readonly {
    readonly name: string;
    readonly points: readonly { readonly ratio: number; readonly value: number }[];
  }[];
  readonly ratio: number;
  /** At the chosen ratio; undefined where it is not known. */
  readonly value: number | undefined;
  /** Ratio that is being measured. */
  readonly measuring: number | undefined;
  readonly maximumRatio: number;
  readonly format: (value: number) => string;
  readonly width: number;
  readonly height: number;
  readonly onRatio: (ratio: number) => void;
}) {
  const x = sliderScale(width, maximumRatio);
  const y = valueAxis(
    [...points, ...estimate, ...others.flatMap((series) => series.points)].map((point) => point.value),
    [height - BOTTOM, TOP],
  );
  const dense = points.find((point) => point.ratio === 0)?.value ?? estimate[0]?.value;
  const drawLine = (of: readonly { readonly ratio: number; readonly value: number }[]) =>
    (y &&
      line<{ ratio: number; value: number }>(
        (point) => round(x(point.ratio)),
        (point) => round(y.scale(point.value)),
      )(of)) ??
    undefined;
  const cost =
    y && dense !== undefined && value !== undefined
      ? area<{ ratio: number; value: number }>()
          .x((point) => round(x(point.ratio)))
          .y0(round(y.scale(dense)))
          .y1((point) => round(y.scale(point.value)))([
          ...estimate.filter((point) => point.ratio < ratio),
          { ratio, value },
        ])
      : null;
  const drag = (event: PointerEvent<SVGSVGElement>) => {
    if (event.type === 'pointermove' && event.buttons !== 1) return;
    if (event.type === 'pointerdown') event.currentTarget.setPointerCapture(event.pointerId);
    const { left } = event.currentTarget.getBoundingClientRect();
    const at = x.invert(event.clientX - left);
    onRatio(Math.min(maximumRatio, Math.max(0, Math.round(at * 200) / 200)));
  };
  return (
    <svg
      className={stale ? 'slider-curve stale' : 'slider-curve'}
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={`${label}. ${points.map((point) => `${percent(point.ratio)}: ${format(point.value)}${point.source === 'shipped' ? ', shipped' : ''}`).join('; ')}`}
      onPointerDown={drag}
      onPointerMove={drag}
    >
      <rect className="hit" width={width} height={height} />
      {y?.ticks.map((tick) => (
        <g key={tick} transform={`translate(0 ${round(y.scale(tick))})`}>
          <line className="grid-line" x1={0} x2={width} />
          {/* The dense model's own value stands in words above the curve. */}
          {(dense === undefined || Math.abs(y.scale(tick) - y.scale(dense)) > 14) && (
            <text className="axis-text" x={0} y={-3}>
              {formatTick(tick)}
            </text>
          )}
        </g>
      ))}
      {cost && <path className="cost-area" d={cost} />}
      {y && dense !== undefined && (
        <line
          className="dense-line"
          x1={x(0)}
          x2={x(maximumRatio)}
          y1={round(y.scale(dense))}
          y2={round(y.scale(dense))}
        />
      )}
      {y &&
        others.map(({ name, points: series }) => (
          <g key={name} className="other-method">
            <path d={drawLine(series)}>
              <title>{name}</title>
            </path>
            {series.length > 0 && (
              <text
                x={round(x(series.at(-1)?.ratio ?? 0)) + 5}
                y={round(y.scale(series.at(-1)?.value ?? 1))}
                dy="0.35em"
              >
                {name}
              </text>
            )}
          </g>
        ))}
      <path className="estimate-line" d={drawLine(estimate)} />
      {y &&
        points.map((point) => (
          <g key={point.ratio} className={`curve-point ${point.source}`}>
            {point.error > 0 && (
              <line
                className="error-bar"
                x1={round(x(point.ratio))}
                x2={round(x(point.ratio))}
                y1={round(y.scale(Math.max(point.value - point.error, Number.MIN_VALUE)))}
                y2={round(y.scale(point.value + point.error))}
              />
            )}
            <circle cx={round(x(point.ratio))} cy={round(y.scale(point.value))} r={point.source === 'own' ? 3.5 : 2.5}>
              <title>{`${percent(point.ratio)}: ${format(point.value)}`}</title>
            </circle>
          </g>
        ))}
      <line className="ratio-rule" x1={round(x(ratio))} x2={round(x(ratio))} y1={0} y2={height} />
      {y && value !== undefined && (
        <circle className="ratio-here" cx={round(x(ratio))} cy={round(y.scale(value))} r={4.5} />
      )}
      {y && measuring !== undefined && (
        <circle
          className="measuring-here"
          cx={round(x(measuring))}
          cy={round(y.scale(valueNear(estimate, measuring) ?? dense ?? y.scale.invert(height - BOTTOM)))}
          r={7}
        />
      )}
    </svg>
  );
}

function valueNear(
  curve: readonly { readonly ratio: number; readonly value: number }[],
  ratio: number,
): number | undefined {
  return curve.toSorted((a, b) => Math.abs(a.ratio - ratio) - Math.abs(b.ratio - ratio))[0]?.value;
}

/** 4, 0.5, 1,500. */

/** With room for the numbers above their lines. */
function valueAxis(values: readonly number[], range: readonly [number, number]) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return logarithmicScale(values, range, { below: 1.03, above: 1.05 * Math.max(1, (1.4 * low) / high), gap: 26 });
}

function percent(ratio: number): string {
  return `${Math.round(ratio * 1000) / 10}%`;
}
