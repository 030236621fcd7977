import { heatColour } from './heat-scale.ts';
import { formatImportance, type NormalisedScale } from './normalise.ts';

/** One group of a layer. */
export interface StripItem {
  readonly index: number;
  readonly value: number;
  readonly removed: boolean;
}

const BAR = 7;
const AXIS = 16;

/** How many groups fit side by side. */
export function stripCapacity(width: number): number {
  return Math.max(1, Math.floor(width / BAR));
}

/** Single groups of one layer as bars: height and colour by importance, hollow where the plan removes them. */
export function NeuronStrip({
  items,
  scale,
  colours,
  width,
  height,
  label,
}: {
  readonly items: readonly StripItem[];
  readonly scale: NormalisedScale;
  readonly colours: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
  readonly label: string;
}) {
  const room = height - AXIS;
  return (
    <svg
      className="neuron-strip"
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={label}
    >
      <line className="axis-line" x2={items.length * BAR} y1={room + 0.5} y2={room + 0.5} />
      {items.map(({ index, value, removed }, place) => {
        const position = scale.position(value);
        const tall = Math.max(2, Math.round(position * (room - 2)));
        return (
          <g key={index}>
            <rect
              className={removed ? 'strip-cut' : 'strip-kept'}
              x={place * BAR + 1}
              y={room - tall}
              width={BAR - 2}
              height={tall}
              fill={removed ? 'none' : heatColour(colours, position)}
            />
            <rect className="hit" x={place * BAR} y={0} width={BAR} height={room}>
              <title>{`${index}: ${formatImportance(value)}, ${removed ? 'goes' : 'stays'}`}</title>
            </rect>
            {place % 10 === 0 && (
              <text className="axis-text" x={place * BAR} y={height - 3}>
                {index}
              </text>
            )}
          </g>
        );
      })}
    </svg>
  );
}
