import { scaleLinear } from 'd3';
import { round } from './round.ts';

const MARGIN = { top: 10, right: 8, bottom: 16, left: 40 };

/** Every plan that a measured search tried, in order: its loss as a dot (closed-form ones hollow), the lowest so far as a line. */
export function RefineTrace({
  measurements,
  candidates,
  width,
  height,
}: {
  readonly measurements: readonly { readonly name: string; readonly loss: number }[];
  /** So many of the first are closed-form searches and baselines. */
  readonly candidates: number;
  readonly width: number;
  readonly height: number;
}) {
  const losses = measurements.map(({ loss }) => loss).filter(Number.isFinite);
  const [least, first] = [Math.min(...losses), losses[0] ?? 1];
  // Plans far off the first would press the others into one line; they stand at the upper edge.
  const most = Math.min(Math.max(...losses), first + 3 * Math.max(first - least, 0.02 * first));
  const right = Math.max(MARGIN.left + 1, width - MARGIN.right);
  const x = scaleLinear([0, Math.max(1, measurements.length - 1)], [MARGIN.left + 4, right - 4]);
  const y = scaleLinear([least, most === least ? least + 1 : most], [height - MARGIN.bottom - 4, MARGIN.top]);
  let best = Number.POSITIVE_INFINITY;
  const steps = measurements.map(({ loss }, index) => {
    best = Math.min(best, loss);
    return `${index === 0 ? 'M' : 'H'}${round(x(index))}${index === 0 ? ` ${round(y(Math.min(most, best)))}` : `V${round(y(Math.min(most, best)))}`}`;
  });
  return (
    <svg
      className="refine-trace"
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={`KL from the dense model of ${measurements.length} plans that were measured, from ${first.toFixed(3)} down to ${least.toFixed(3)} nats`}
    >
      {[least, most].map((tick) => (
        <text key={tick} className="axis-text" x={MARGIN.left - 4} y={round(y(tick))} dy="0.35em" textAnchor="end">
          {tick.toFixed(3)}
        </text>
      ))}
      <path className="trace-best" d={steps.join('')} />
      {measurements.map(({ name, loss }, index) => (
        <circle
          // biome-ignore lint/suspicious/noArrayIndexKey: a measurement is its place in the order.
          key={index}
          className={index < candidates ? 'trace-candidate' : 'trace-walk'}
          cx={round(x(index))}
          cy={round(y(Math.min(most, loss)))}
          r={3}
        >
          <title>{`${name}: ${loss.toFixed(4)} nats`}</title>
        </circle>
      ))}
      <text className="axis-text" x={MARGIN.left + 2} y={height - 3}>
        {`${candidates} closed-form`}
      </text>
      {measurements.length > candidates && (
        <text className="axis-text" x={right} y={height - 3} textAnchor="end">
          {`${measurements.length - candidates} searched`}
        </text>
      )}
    </svg>
  );
}
