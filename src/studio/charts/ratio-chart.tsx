import { line, scaleLinear } from 'd3';
import { BaseAxis, ValueGrid } from './axes.tsx';
import { ChartTitle } from './chart-title.tsx';
import { round } from './round.ts';
import { logarithmicScale, scaleFromZero } from './value-scale.ts';

/** A measured value and the ends of its error bar, in the same unit. */
export interface BarredValue {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** One measured value at one ratio. `dense` is what the dense model gave in turn with it. */
export interface RatioPoint extends BarredValue {
  readonly ratio: number;
  readonly dense?: BarredValue | undefined;
  /** What else was measured there, said with the value. */
  readonly note?: string | undefined;
}

/** A thin line beside the measured points: another method at the same ratios. */
export interface RatioSeries {
  readonly name: string;
  readonly points: readonly { readonly ratio: number; readonly value: number }[];
}

/** A model that was trained after pruning. */
export interface RecoveredMark extends RatioPoint {
  readonly name: string;
}

const MARGIN = { top: 30, right: 14, bottom: 22, left: 46 };

/**
 * One quantity against the ratio: measured points with error bars, the curve of estimates between them (drawn as estimates), the dense model as a
 * reference line or, where it was measured in turn, as a ring at every ratio, other methods as thin lines, and a rule at the ratio that is chosen now.
 * Nothing is drawn for what was not measured.
 */
export function RatioChart({
  title,
  unit,
  points,
  dense,
  estimate,
  others = [],
  recovered = [],
  ratio,
  maximumRatio,
  logarithmic = false,
  format,
  width,
  height,
  onPick,
}: {
  readonly title: string;
  readonly unit: string;
  readonly points: readonly RatioPoint[];
  readonly dense: RatioPoint | undefined;
  /** Estimated values between measured ones, in order of ratio. */
  readonly estimate: readonly { readonly ratio: number; readonly value: number }[];
  readonly others?: readonly RatioSeries[];
  /** Recovered models; the one nearest to the chosen ratio carries its value. */
  readonly recovered?: readonly RecoveredMark[];
  readonly ratio: number;
  readonly maximumRatio: number;
  readonly logarithmic?: boolean;
  readonly format: (value: number) => string;
  readonly width: number;
  readonly height: number;
  readonly onPick?: ((ratio: number) => void) | undefined;
}) {
  const right = Math.max(MARGIN.left + 1, width - MARGIN.right);
  const bottom = height - MARGIN.bottom;
  const x = scaleLinear([0, maximumRatio], [MARGIN.left, right]);
  const everything = [...points, ...(dense ? [dense] : [])];
  const rings = points.flatMap(({ ratio: at, dense: value }) => (value === undefined ? [] : [{ ...value, ratio: at }]));
  const lines = others.flatMap((series) =>
    series.points.map((point) => ({ ...point, low: point.value, high: point.value })),
  );
  const y = valueScale([...everything, ...rings, ...lines, ...recovered], logarithmic, [bottom, MARGIN.top]);
  const path =
    y &&
    line<{ ratio: number; value: number }>(
      (point) => round(x(point.ratio)),
      (point) => round(y.scale(point.value)),
    )(estimate);
  const labels = y
    ? dodge(
        others.map(({ points: line }) => y.scale(line.at(-1)?.value ?? 1)),
        12,
      )
    : [];
  const nearest = recovered.toSorted(
    (a, b) => Math.abs(a.ratio - ratio) - Math.abs(b.ratio - ratio) || a.value - b.value,
  )[0];
  const trained = recovered.map((point) => ` Recovered, ${point.name}: ${format(point.value)}.`).join('');
  const said = ({ value, note }: RatioPoint) => (note === undefined ? format(value) : `${format(value)}, ${note}`);
  const summary = points.map((point) => `${Math.round(point.ratio * 100)}%: ${said(point)}`).join(', ');
  return (
    // biome-ignore lint/a11y/useSemanticElements: an SVG that holds buttons is a figure by role only.
    <svg
      className="ratio-chart"
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      aria-label={`${title} (${unit}) against ratio. ${summary}${summary && trained ? '.' : ''}${trained}`}
      role="figure"
    >
      <ChartTitle title={title} unit={unit} />
      <BaseAxis
        ticks={x.ticks(Math.min(6, Math.max(2, Math.floor(width / 70))))}
        scale={x}
        left={MARGIN.left}
        right={right}
        bottom={bottom}
        format={(tick) => `${Math.round(tick * 100)}%`}
      />
      {y && <ValueGrid ticks={y.ticks} scale={y.scale} left={MARGIN.left} right={right} />}
      <line className="ratio-rule" x1={round(x(ratio))} x2={round(x(ratio))} y1={MARGIN.top - 8} y2={bottom} />
      {y && dense && (
        <g>
          <line
            className="dense-line"
            x1={MARGIN.left}
            x2={right}
            y1={round(y.scale(dense.value))}
            y2={round(y.scale(dense.value))}
          />
          <text className="dense-text" x={right} y={round(y.scale(dense.value)) - 4} textAnchor="end">
            {`dense ${format(dense.value)}`}
          </text>
        </g>
      )}
      {y &&
        others.map((series, index) => (
          <OtherMethod
            key={series.name}
            series={series}
            x={x}
            y={y.scale}
            format={format}
            labelY={labels[index] ?? 0}
            right={width}
          />
        ))}
      {path && <path className="estimate-line" d={path} />}
      {y &&
        rings.map((ring) => (
          <g key={ring.ratio}>
            <line
              className="pair-line"
              x1={round(x(ring.ratio))}
              x2={round(x(ring.ratio))}
              y1={round(y.scale(ring.value))}
              y2={round(y.scale(valueAt(points, ring.ratio)))}
            />
            <ErrorBar point={ring} x={round(x(ring.ratio)) - 3} scale={y.scale} className="error-bar dense-bar" />
            <circle className="dense-ring" cx={round(x(ring.ratio))} cy={round(y.scale(ring.value))} r={3.5}>
              <title>{`dense, in turn: ${format(ring.value)}`}</title>
            </circle>
          </g>
        ))}
      {y &&
        points.map((point) => (
          <Point
            key={point.ratio}
            point={point}
            x={round(x(point.ratio))}
            scale={y.scale}
            text={`${title} at ${Math.round(point.ratio * 100)}%: ${said(point)}`}
            onPick={onPick}
          />
        ))}
      {y &&
        recovered.map((point) => (
          <RecoveredPoint
            key={point.name}
            point={point}
            x={round(x(point.ratio))}
            scale={y.scale}
            text={format(point.value)}
            isLabelled={point === nearest}
            right={width}
          />
        ))}
      {everything.length === 0 && recovered.length === 0 && (
        <text className="chart-empty" x={(MARGIN.left + right) / 2} y={(MARGIN.top + bottom) / 2} textAnchor="middle">
          not measured yet
        </text>
      )}
    </svg>
  );
}

function Point({
  point,
  x,
  scale,
  text,
  onPick,
}: {
  readonly point: RatioPoint;
  readonly x: number;
  readonly scale: (value: number) => number;
  readonly text: string;
  readonly onPick: ((ratio: number) => void) | undefined;
}) {
  const y = round(scale(point.value));
  const marks = (
    <>
      <ErrorBar point={point} x={x} scale={scale} className="error-bar" />
      <circle className="measured-point" cx={x} cy={y} r={3.5} />
      <title>{text}</title>
    </>
  );
  if (!onPick) return <g>{marks}</g>;
  const pick = () => onPick(point.ratio);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a button element cannot stand inside an SVG.
    <g
      className="pickable"
      role="button"
      tabIndex={0}
      aria-label={`${text}. Go to this ratio.`}
      onClick={pick}
      onKeyDown={(event) => {
        if (event.key === 'Enter' || event.key === ' ') {
          event.preventDefault();
          pick();
        }
      }}
    >
      <rect className="hit" x={x - 12} y={y - 12} width={24} height={24} />
      {marks}
    </g>
  );
}

function ErrorBar({
  point: { low, high },
  x,
  scale,
  className,
}: {
  readonly point: BarredValue;
  readonly x: number;
  readonly scale: (value: number) => number;
  readonly className?: string;
}) {
  if (low === high) return null;
  return <line className={className} x1={x} x2={x} y1={round(scale(high))} y2={round(scale(low))} />;
}

function RecoveredPoint({
  point,
  x,
  scale,
  text,
  isLabelled,
  right,
}: {
  readonly point: RecoveredMark;
  readonly x: number;
  readonly scale: (value: number) => number;
  readonly text: string;
  readonly isLabelled: boolean;
  /** Right edge of the chart. */
  readonly right: number;
}) {
  const y = round(scale(point.value));
  const label = `recovered: ${text}`;
  return (
    <g className="recovered-point">
      <ErrorBar point={point} x={x} scale={scale} />
      <path d={`M${x} ${round(y - 5)}l5 5l-5 5l-5 -5z`}>
        <title>{`Recovered, ${point.name}: ${text}`}</title>
      </path>
      {isLabelled && (
        <text {...labelPlace(x + 8, label, right)} y={y} dy="0.35em">
          {label}
        </text>
      )}
    </g>
  );
}

function OtherMethod({
  series,
  x,
  y,
  format,
  labelY,
  right,
}: {
  readonly series: RatioSeries;
  readonly x: (ratio: number) => number;
  readonly y: (value: number) => number;
  readonly format: (value: number) => string;
  readonly labelY: number;
  /** Right edge of the chart. */
  readonly right: number;
}) {
  const last = series.points.at(-1);
  const path = line<{ ratio: number; value: number }>(
    (point) => round(x(point.ratio)),
    (point) => round(y(point.value)),
  )(series.points);
  if (!last || !path) return null;
  return (
    <g className="other-method">
      <path d={path} />
      {series.points.map((point) => (
        <circle key={point.ratio} cx={round(x(point.ratio))} cy={round(y(point.value))} r={2}>
          <title>{`${series.name} at ${Math.round(point.ratio * 100)}%: ${format(point.value)}`}</title>
        </circle>
      ))}
      <text {...labelPlace(round(x(last.ratio)) + 5, series.name, right)} y={round(labelY)} dy="0.35em">
        {series.name}
      </text>
    </g>
  );
}

/** Characters of a chart's small text are about so wide. */
const CHARACTER = 5.8;

/** A name begins behind its line's end, or ends at the chart's edge where it would pass it. */
function labelPlace(
  x: number,
  name: string,
  right: number,
): { readonly x: number; readonly textAnchor: 'start' | 'end' } {
  return x + name.length * CHARACTER <= right ? { x, textAnchor: 'start' } : { x: right, textAnchor: 'end' };
}

/** Moves positions apart until neighbours are at least `gap` from each other, from the top down. */
export function dodge(positions: readonly number[], gap: number): number[] {
  const moved = [...positions];
  const order = positions.map((_, index) => index).sort((a, b) => (positions[a] ?? 0) - (positions[b] ?? 0));
  let last = Number.NEGATIVE_INFINITY;
  for (const index of order) {
    last = Math.max(positions[index] ?? 0, last + gap);
    moved[index] = last;
  }
  return moved;
}

function valueAt(points: readonly RatioPoint[], ratio: number): number {
  return points.find((point) => point.ratio === ratio)?.value ?? 0;
}

/** The value axis over what there is, error bars included; undefined when there is nothing. */
function valueScale(points: readonly RatioPoint[], logarithmic: boolean, range: readonly [number, number]) {
  const values = points.flatMap(({ low, high }) => [low, high]);
  return logarithmic ? logarithmicScale(values, range) : scaleFromZero(values, range);
}
