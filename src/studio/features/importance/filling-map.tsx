import { useMemo } from 'react';
import type { LayerGroups } from '../../../importance/structures/structures.ts';
import type { LayerScores, Metric } from '../../../importance/sums/scores.ts';
import { Heatmap } from '../../charts/heatmap.tsx';
import type { HeatmapRow } from '../../charts/heatmap-layout.ts';
import { normalisedScale } from '../../charts/normalise.ts';
import { useStudioFields } from '../../store.ts';
import { useTheme } from '../frame/use-theme.ts';
import { LayerLabels } from './layer-labels.tsx';
import { useRowRoom } from './use-row-room.ts';

/** What is drawn of layers that come one by one: fusing metrics takes all of them. */
const METRIC: Metric = 'element-second';

const nothing = () => undefined;

/** The map of a model that is being scored: each layer as soon as it is done, from the last to the first. */
export function FillingMap({ groups }: { readonly groups: readonly LayerGroups[] }) {
  const { scoredLayers, arrangement, cursor, setView, toggleProtected } = useStudioFields(
    'scoredLayers',
    'arrangement',
    'cursor',
    'setView',
    'toggleProtected',
  );
  const theme = useTheme();
  const rows = useMemo(() => fillingRows(groups, scoredLayers), [groups, scoredLayers]);
  const scale = useMemo(
    () =>
      normalisedScale(
        'log',
        rows.flatMap((row) => [row.attention, row.mlp]),
      ),
    [rows],
  );
  const { ref, rowHeight } = useRowRoom(rows.length);
  return (
    <section className="importance-body" ref={ref} aria-label="Map of layers, as they are scored">
      <div className="heat-grid">
        <LayerLabels layers={rows.length} rowHeight={rowHeight} />
        <Heatmap
          {...{ rows, scale, arrangement, theme, rowHeight, cursor }}
          plan={undefined}
          onCursor={(cell) => setView({ cursor: cell })}
          onProtect={toggleProtected}
          onChoose={nothing}
        />
      </div>
    </section>
  );
}

/** One metric per parameter of the layers that are done; the others are empty. */
export function fillingRows(
  groups: readonly LayerGroups[],
  done: ReadonlyMap<number, LayerScores>,
): readonly HeatmapRow[] {
  return groups.map((layer, index) => {
    const scores = done.get(index);
    const of = (module: 'attention' | 'convolution' | 'mlp') =>
      Float32Array.from(
        scores?.[module]?.[METRIC] ?? [],
        (value) => value / Math.max(1, layer[module]?.parametersPerGroup ?? 1),
      );
    return { attention: of(layer.convolution ? 'convolution' : 'attention'), mlp: of('mlp') };
  });
}
