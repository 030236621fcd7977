import type { LayerPlan } from '../../../plan/plan.ts';
import type { HeatmapRow } from '../../charts/heatmap-layout.ts';
import { HeatLegend } from '../../charts/legend.tsx';
import type { NormalisedScale } from '../../charts/normalise.ts';
import { ScoreHistogram } from './score-histogram.tsx';

/** What the colours mean in numbers, and how importance is spread over all groups. */
export function HeatFoot({
  rows,
  plan,
  scale,
  colours,
  unit,
  height = 96,
}: {
  readonly rows: readonly HeatmapRow[];
  readonly plan: readonly LayerPlan[] | undefined;
  readonly scale: NormalisedScale;
  readonly colours: Uint8ClampedArray;
  readonly unit: string;
  /** Of the histogram. */
  readonly height?: number;
}) {
  return (
    <div className="heat-foot">
      <figure>
        <figcaption>{unit}</figcaption>
        <HeatLegend scale={scale} colours={colours} title={unit} width={260} />
        <p className="legend-cut">
          <span>
            <span className="swatch-cut" aria-hidden="true" /> goes
          </span>
          <span>
            <span className="swatch-bands" aria-hidden="true" /> largest, mean, smallest of a bin
          </span>
        </p>
      </figure>
      <ScoreHistogram rows={rows} plan={plan} unit={unit} height={height} />
    </div>
  );
}
