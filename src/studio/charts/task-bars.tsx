import { scaleLinear } from 'd3';

/** One model's accuracy on a task, 0 … 1; `error` is one standard error. */
export interface TaskBar {
  readonly id: string;
  readonly name: string;
  readonly kind: 'dense' | 'chosen' | 'other' | 'recovered';
  readonly value: number;
  readonly error: number;
}

const MARGIN = { top: 38, right: 10, bottom: 20, left: 1 };
const ROW = { height: 36, name: 11, bar: 17, thickness: 11 };

/** Accuracies as horizontal bars with standard errors, names above them; the dense model's value as a line through all, and the level of guessing. */
export function TaskBars({
  title,
  unit,
  bars,
  chance,
  format,
  width,
}: {
  readonly title: string;
  readonly unit: string;
  readonly bars: readonly TaskBar[];
  /** Accuracy of guessing; undefined before anything is measured. */
  readonly chance: number | undefined;
  readonly format: (value: number) => string;
  readonly width: number;
}) {
  const height = MARGIN.top + Math.max(3, bars.length) * ROW.height + MARGIN.bottom;
  const bottom = height - MARGIN.bottom;
  const right = Math.max(MARGIN.left + 1, width - MARGIN.right);
  const x = scaleLinear([0, 1], [MARGIN.left, right]);
  const dense = bars.find(({ kind }) => kind === 'dense');
  const summary = bars.map(({ name, value, error }) => `${name}: ${format(value)} ± ${format(error)}`).join(', ');
  return (
    <svg
      className="task-bars"
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={`${title} (${unit}). ${bars.length > 0 ? summary : 'Not measured yet.'}${chance === undefined ? '' : ` Guessing: ${format(chance)}.`}`}
    >
      <text className="chart-title" x={0} y={12}>
        {title}
        <tspan className="chart-unit" dx={6}>
          {unit}
        </tspan>
      </text>
      {x.ticks(width < 300 ? 2 : 5).map((tick) => (
        <g key={tick} transform={`translate(${round(x(tick))} 0)`}>
          <line className="grid-line" y1={MARGIN.top} y2={bottom} />
          <text className="axis-text" y={height - 5} textAnchor={tick === 0 ? 'start' : tick === 1 ? 'end' : 'middle'}>{`${Math.round(tick * 100)}%`}</text>
        </g>
      ))}
      {bars.map((bar, index) => (
        <Bar key={bar.id} bar={bar} x={x} top={MARGIN.top + index * ROW.height} format={format} right={right} />
      ))}
      {dense && <line className="dense-line" x1={round(x(dense.value))} x2={round(x(dense.value))} y1={MARGIN.top} y2={bottom} />}
      {chance !== undefined && (
        <g transform={`translate(${round(x(chance))} 0)`}>
          <line className="chance-line" y1={MARGIN.top - 6} y2={bottom} />
          <text className="dense-text" x={4} y={MARGIN.top - 8}>
            {`guessing ${format(chance)}`}
          </text>
        </g>
      )}
      {bars.length === 0 && (
        <text className="chart-empty" x={(MARGIN.left + right) / 2} y={(MARGIN.top + bottom) / 2} textAnchor="middle">
          not measured yet
        </text>
      )}
    </svg>
  );
}

function Bar({
  bar,
  x,
  top,
  right,
  format,
}: {
  readonly bar: TaskBar;
  readonly x: (value: number) => number;
  readonly top: number;
  readonly right: number;
  readonly format: (value: number) => string;
}) {
  const { name, kind, value, error } = bar;
  const [low, high] = [round(x(Math.max(0, value - error))), round(x(Math.min(1, value + error)))];
  const middle = top + ROW.bar + ROW.thickness / 2;
  return (
    <g className={`task-bar task-bar-${kind}`}>
      <text className="bar-name" x={MARGIN.left + 1} y={top + ROW.name}>
        {name}
      </text>
      <text className="bar-value" x={right} y={top + ROW.name} textAnchor="end">
        {`${format(value)} ± ${format(error)}`}
      </text>
      <rect x={MARGIN.left} y={top + ROW.bar} width={round(Math.max(0.5, x(value) - x(0)))} height={ROW.thickness} />
      {error > 0 && (
        <>
          <line className="bar-error" x1={low} x2={high} y1={middle} y2={middle} />
          <line className="bar-error" x1={low} x2={low} y1={middle - 3} y2={middle + 3} />
          <line className="bar-error" x1={high} x2={high} y1={middle - 3} y2={middle + 3} />
        </>
      )}
    </g>
  );
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
