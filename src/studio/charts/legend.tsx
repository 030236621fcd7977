import { heatColour } from './heat-scale.ts';
import type { NormalisedScale } from './normalise.ts';
import { round } from './round.ts';

const STEPS = 48;
const BAR = 8;
const MARGIN = 26;

/** The colour scale with its numbers. Colours end at the domain's ends; `title` says what is measured. */
export function HeatLegend({
  scale,
  colours,
  title,
  width = 240,
}: {
  readonly scale: NormalisedScale;
  readonly colours: Uint8ClampedArray;
  readonly title: string;
  readonly width?: number;
}) {
  const inner = width - 2 * MARGIN;
  const label = `${title}: colours from ${scale.ticks[0]?.label} to ${scale.ticks.at(-1)?.label}`;
  return (
    <svg className="legend" width={width} height={30} viewBox={`0 0 ${width} 30`} role="img" aria-label={label}>
      {Array.from({ length: STEPS }, (_, step) => step).map((step) => (
        <rect
          key={step}
          x={round(MARGIN + (step * inner) / STEPS)}
          y={0}
          width={round(inner / STEPS + 0.5)}
          height={BAR}
          fill={heatColour(colours, step / (STEPS - 1))}
        />
      ))}
      {scale.ticks.map(({ position, label: text }) => (
        <g key={position} transform={`translate(${round(MARGIN + position * inner)} ${BAR})`}>
          <line className="axis-line" y2={4} />
          <text className="axis-text" y={15} textAnchor="middle">
            {text}
          </text>
        </g>
      ))}
    </svg>
  );
}
