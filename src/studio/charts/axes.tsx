import { format as numberFormat } from 'd3';
import { round } from './round.ts';

/** 4, 0.5, 1,500. */
export const formatTick = numberFormat(',.3~r');

type Scale = (value: number) => number;

interface ValueGridProps {
  readonly ticks: readonly number[];
  readonly scale: Scale;
  readonly left: number;
  readonly right: number;
  readonly format?: (tick: number) => string;
}

/** Lines across the plot at the ticks of the value axis, with their numbers left of it. */
export function ValueGrid({ ticks, scale, left, right, format = formatTick }: ValueGridProps) {
  return ticks.map((tick) => (
    <g key={tick} transform={`translate(0 ${round(scale(tick))})`}>
      <line className="grid-line" x1={left} x2={right} />
      <text className="axis-text" x={left - 6} dy="0.35em" textAnchor="end">
        {format(tick)}
      </text>
    </g>
  ));
}

interface BaseAxisProps {
  readonly ticks: readonly number[];
  readonly scale: Scale;
  readonly left: number;
  readonly right: number;
  /** Where the plot ends below. */
  readonly bottom: number;
  readonly format: (tick: number) => string;
}

/** The line below a plot, with ticks and their words. */
export function BaseAxis({ ticks, scale, left, right, bottom, format }: BaseAxisProps) {
  return (
    <>
      {ticks.map((tick) => (
        <g key={tick} transform={`translate(${round(scale(tick))} ${bottom})`}>
          <line className="axis-line" y2={4} />
          <text className="axis-text" y={16} textAnchor="middle">
            {format(tick)}
          </text>
        </g>
      ))}
      <line className="axis-line" x1={left} x2={right} y1={bottom + 0.5} y2={bottom + 0.5} />
    </>
  );
}

/** Anchors of the words below a plot's edges: the first and the last stay inside. */
export function edgeAnchor(index: number, count: number): 'start' | 'middle' | 'end' {
  if (index === 0) return 'start';
  return index === count - 1 ? 'end' : 'middle';
}
