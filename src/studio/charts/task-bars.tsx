import { scaleLinear } from 'd3';
import { ChartTitle } from './chart-title.tsx';
import { round } from './round.ts';

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

/** Accuracies as horizontal bars with standard errors, names above them; the dense model's value and the level of guessing are marked on every bar. */
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
  const marks = marksOf(bars, chance);
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
      <ChartTitle title={title} unit={unit} />
      {x.ticks(width < 300 ? 2 : 5).map((tick) => (
        <g key={tick} transform={`translate(${round(x(tick))} 0)`}>
          {bars.length > 0 && <line className="grid-line" y1={MARGIN.top} y2={bottom} />}
          <text
            className="axis-text"
            y={height - 5}
            textAnchor={tick === 0 ? 'start' : tick === 1 ? 'end' : 'middle'}
          >{`${Math.round(tick * 100)}%`}</text>
        </g>
      ))}
      {bars.map((bar, index) => (
        <Bar
          key={bar.id}
          bar={bar}
          x={x}
          top={MARGIN.top + index * ROW.height}
          format={format}
          right={right}
          marks={marks}
        />
      ))}
      {marks.map(({ value, name, side }) => (
        <text key={name} className="dense-text" x={round(x(value))} y={MARGIN.top - 6} textAnchor={side}>
          {`${name} ${format(value)}`}
        </text>
      ))}
      {bars.length === 0 && (
        <text className="chart-empty" x={(MARGIN.left + right) / 2} y={(MARGIN.top + bottom) / 2} textAnchor="middle">
          not measured yet
        </text>
      )}
    </svg>
  );
}

interface Mark {
  readonly name: string;
  readonly value: number;
  readonly side: 'start' | 'middle' | 'end';
}

/** Guessing and the dense model: labels of two that are near each other lean apart. */
function marksOf(bars: readonly TaskBar[], chance: number | undefined): Mark[] {
  const dense = bars.find(({ kind }) => kind === 'dense');
  if (chance === undefined) return [];
  const guessing = { name: 'guessing', value: chance, side: dense && dense.value < chance ? 'start' : 'end' } as const;
  if (!dense) return [{ ...guessing, side: 'middle' }];
  const isNear = Math.abs(dense.value - chance) < 0.35;
  const side = dense.value < chance ? 'end' : 'start';
  if (isNear) return [guessing, { name: 'dense', value: dense.value, side: dense.value > 0.8 ? 'end' : side }];
  return [
    { ...guessing, side: chance < 0.2 ? 'start' : 'middle' },
    { name: 'dense', value: dense.value, side: dense.value > 0.8 ? 'end' : dense.value < 0.2 ? 'start' : 'middle' },
  ];
}

function Bar({
  bar,
  x,
  top,
  right,
  format,
  marks,
}: {
  readonly bar: TaskBar;
  readonly x: (value: number) => number;
  readonly top: number;
  readonly right: number;
  readonly format: (value: number) => string;
  readonly marks: readonly Mark[];
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
      {marks.map((mark) => (
        <line
          key={mark.name}
          className={`mark-${mark.name}`}
          x1={round(x(mark.value))}
          x2={round(x(mark.value))}
          y1={middle - ROW.thickness / 2 - 3}
          y2={middle + ROW.thickness / 2 + 3}
        />
      ))}
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
