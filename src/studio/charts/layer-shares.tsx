import { round } from './round.ts';

/** Share of a layer's attention groups, neurons and parameters that a plan removes, 0 … 1. */
export interface LayerShare {
  readonly parameters: number;
  readonly attention: number;
  readonly mlp: number;
}

const TEXT = 34;
/** Narrower than this there are numbers alone. */
const NARROWEST_BARS = 24;

/** Per-layer share removed, one row per layer at the heatmap's row height: bars for attention above and MLP below, the number for all parameters. */
export function LayerShares({
  shares,
  rowHeight,
  width,
}: {
  readonly shares: readonly LayerShare[];
  readonly rowHeight: number;
  readonly width: number;
}) {
  const height = rowHeight * shares.length;
  const inner = width - TEXT;
  const bar = Math.max(3, Math.floor((rowHeight - 4) / 2));
  return (
    <svg
      className="layer-shares"
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={sharesLabel(shares)}
    >
      {shares.map(({ parameters, attention, mlp }, layer) => {
        const top = layer * rowHeight + (rowHeight - 2 * bar - 2) / 2;
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: a layer is its index.
          <g key={layer}>
            {inner >= NARROWEST_BARS && (
              <>
                <rect className="bar-track" x={0} y={top} width={inner} height={2 * bar} />
                <rect className="bar-attention" x={0} y={top} width={round(inner * attention)} height={bar} />
                <rect className="bar-mlp" x={0} y={top + bar} width={round(inner * mlp)} height={bar} />
              </>
            )}
            <text
              className={parameters > 0 ? 'share-text' : 'axis-text'}
              x={width}
              y={layer * rowHeight + rowHeight / 2 - 1}
              dy="0.36em"
              textAnchor="end"
            >
              {`${Math.round(parameters * 100)}%`}
            </text>
          </g>
        );
      })}
    </svg>
  );
}

function sharesLabel(shares: readonly LayerShare[]): string {
  const percent = (share: number) => `${Math.round(share * 100)}%`;
  return `Share removed per layer, attention and MLP: ${shares.map(({ attention, mlp }, layer) => `layer ${layer}: ${percent(attention)}, ${percent(mlp)}`).join('; ')}`;
}
