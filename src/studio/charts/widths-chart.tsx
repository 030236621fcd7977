import type { LayerWidth } from '../features/history/run.ts';
import { round } from './round.ts';

const LABEL = 22;
const TRUNK = 10;
/** Attention's part of the width. */
const ATTENTION = 0.3;

/**
 * Two plans as trees trained flat: a branch per layer off one trunk, attention to the left, MLP to the right, as long as what stays. What both keep is one colour;
 * what only the first or only the second keeps stands out beyond it. The dense model is the track behind.
 */
export function WidthsChart({
  first,
  second,
  names,
  width,
}: {
  readonly first: readonly LayerWidth[];
  readonly second: readonly LayerWidth[];
  readonly names: readonly [string, string];
  readonly width: number;
}) {
  const rowHeight = Math.max(9, Math.min(24, Math.floor(360 / Math.max(1, first.length))));
  const bar = rowHeight - (rowHeight > 12 ? 4 : 2);
  const room = Math.max(40, width - LABEL - TRUNK);
  const trunk = LABEL + room * ATTENTION + TRUNK / 2;
  const height = first.length * rowHeight + 18;
  const widest = {
    attention: Math.max(1, ...first.map((layer) => layer.attentionGroups)),
    mlp: Math.max(1, ...first.map((layer) => layer.neurons)),
  };
  const reach = { attention: room * ATTENTION, mlp: room * (1 - ATTENTION) };
  const place = (side: 'attention' | 'mlp', from: number, to: number) => {
    const [start, end] = [(from / widest[side]) * reach[side], (to / widest[side]) * reach[side]];
    const x = side === 'attention' ? trunk - TRUNK / 2 - end : trunk + TRUNK / 2 + start;
    return { x: round(x), width: round(Math.max(0, end - start)), height: bar };
  };
  return (
    <svg
      className="widths-chart"
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={widthsLabel(first, second, names)}
    >
      <defs>
        <pattern id="second-only" width={5} height={5} patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <rect className="second-wash" width={5} height={5} />
          <rect className="second-ink" width={2} height={5} />
        </pattern>
      </defs>
      <text className="axis-text" x={trunk - TRUNK / 2} y={11} textAnchor="end">
        attention groups
      </text>
      <text className="axis-text" x={trunk + TRUNK / 2} y={11}>
        neurons
      </text>
      <line className="trunk" x1={trunk} x2={trunk} y1={16} y2={height} />
      {first.map((layer, index) => {
        const other = second[index] ?? layer;
        const y = 18 + index * rowHeight;
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: a layer is its index.
          <g key={index}>
            <text className="axis-text" x={LABEL - 6} y={y + bar / 2} dy="0.36em" textAnchor="end">
              {rowHeight >= 12 || index % 2 === 0 ? index : ''}
            </text>
            {(['attention', 'mlp'] as const).map((side) => {
              const [a, b] = [layer[side], other[side]];
              const all = side === 'attention' ? layer.attentionGroups : layer.neurons;
              return (
                <g key={side}>
                  <rect className="width-dense" y={y} {...place(side, 0, all)} />
                  <rect className="width-both" y={y} {...place(side, 0, Math.min(a, b))} />
                  {a > b && <rect className="width-first" y={y} {...place(side, b, a)} />}
                  {b > a && <rect className="width-second" y={y} fill="url(#second-only)" {...place(side, a, b)} />}
                  <rect className="hit" fill="transparent" y={y} {...place(side, 0, all)}>
                    <title>{`Layer ${index}, ${side === 'attention' ? 'attention groups' : 'neurons'}: ${names[0]} keeps ${a}, ${names[1]} ${b}, of ${all}`}</title>
                  </rect>
                </g>
              );
            })}
          </g>
        );
      })}
    </svg>
  );
}

function widthsLabel(
  first: readonly LayerWidth[],
  second: readonly LayerWidth[],
  names: readonly [string, string],
): string {
  const layers = first.map(({ attention, mlp }, index) => {
    const other = second[index];
    return `layer ${index}: ${attention} and ${mlp}, ${other?.attention ?? attention} and ${other?.mlp ?? mlp}`;
  });
  return `Attention groups and neurons that stay per layer, ${names[0]} and ${names[1]}: ${layers.join('; ')}`;
}
