import { scaleLinear, scaleLog } from 'd3';
import { edgeAnchor } from './axes.tsx';
import type { HistogramBin } from './histogram-bins.ts';
import { formatImportance } from './normalise.ts';
import { round } from './round.ts';

const MARGIN = { top: 14, right: 8, bottom: 18, left: 8 };

/** How many groups have which score: what stays above what goes, and the threshold where the plan cuts. */
export function Histogram({
  bins,
  threshold,
  label,
  width,
  height,
}: {
  readonly bins: readonly HistogramBin[];
  /** Value that parts what stays from what goes (`cutEdge`); undefined draws no line. */
  readonly threshold: number | undefined;
  readonly label: string;
  readonly width: number;
  readonly height: number;
}) {
  const low = bins[0]?.start ?? 1;
  const high = bins.at(-1)?.end ?? 10;
  const x = scaleLog([low, high], [MARGIN.left, Math.max(MARGIN.left + 1, width - MARGIN.right)]);
  const tallest = Math.max(1, ...bins.map((bin) => bin.kept + bin.removed));
  const y = scaleLinear([0, tallest], [0, height - MARGIN.top - MARGIN.bottom]);
  const base = height - MARGIN.bottom;
  const ticks = [low, Math.sqrt(low * high), high];
  const at =
    threshold === undefined
      ? undefined
      : Math.min(width - MARGIN.right, Math.max(MARGIN.left, x(Math.max(threshold, low))));
  return (
    <svg
      className="histogram"
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={label}
    >
      {bins.map((bin) => {
        const left = round(x(bin.start));
        const barWidth = Math.max(0.5, round(x(bin.end) - x(bin.start) - 1));
        const removed = round(y(bin.removed));
        const kept = round(y(bin.kept));
        return (
          <g key={bin.start}>
            {bin.removed > 0 && (
              <rect className="bar-cut" x={left} y={round(base - removed)} width={barWidth} height={removed} />
            )}
            {bin.kept > 0 && (
              <rect className="bar-kept" x={left} y={round(base - removed - kept)} width={barWidth} height={kept} />
            )}
          </g>
        );
      })}
      <line className="axis-line" x1={MARGIN.left} x2={width - MARGIN.right} y1={base + 0.5} y2={base + 0.5} />
      {ticks.map((tick, index) => (
        <text
          key={tick}
          className="axis-text"
          x={round(x(tick))}
          y={height - 5}
          textAnchor={edgeAnchor(index, ticks.length)}
        >
          {formatImportance(tick)}
        </text>
      ))}
      {at !== undefined && threshold !== undefined && (
        <g transform={`translate(${round(at)} 0)`}>
          <line className="threshold-line" y1={MARGIN.top - 2} y2={base} />
          <text
            className="threshold-text"
            y={MARGIN.top - 5}
            x={at > width / 2 ? -4 : 4}
            textAnchor={at > width / 2 ? 'end' : 'start'}
          >
            {`cut near ${formatImportance(threshold)}`}
          </text>
        </g>
      )}
    </svg>
  );
}
