import type { LayerGroups } from '../../../importance/structures/structures.ts';
import { groupNoun } from '../../../plan/kinds.ts';
import type { LayerPlan } from '../../../plan/plan.ts';
import { descendingOrder } from '../../charts/bins.ts';
import type { HeatmapRow } from '../../charts/heatmap-layout.ts';
import { NeuronStrip, stripCapacity } from '../../charts/neuron-strip.tsx';
import type { NormalisedScale } from '../../charts/normalise.ts';
import { useWidth } from '../../charts/use-width.ts';
import { useStudio } from '../../store.ts';
import type { ViewSlice } from '../frame/view-slice.ts';

const HEIGHT = 92;

interface LayerZoomProps {
  readonly groups: readonly LayerGroups[];
  readonly rows: readonly HeatmapRow[];
  readonly plan: readonly LayerPlan[] | undefined;
  readonly scale: NormalisedScale;
  readonly colours: Uint8ClampedArray;
}

/** One layer down to its single groups, around the cell that was chosen on the map; nothing when none was. */
export function LayerZoom(props: LayerZoomProps) {
  const zoom = useStudio((state) => state.zoom);
  const values = zoom && props.rows[zoom.layer]?.[zoom.module];
  return zoom && values ? <OpenZoom {...props} zoom={zoom} values={values} /> : null;
}

interface OpenZoomProps extends LayerZoomProps {
  readonly zoom: NonNullable<ViewSlice['zoom']>;
  readonly values: Float32Array;
}

function OpenZoom({ groups, plan, scale, colours, zoom, values }: OpenZoomProps) {
  const arrangement = useStudio((state) => state.arrangement);
  const setView = useStudio((state) => state.setView);
  const { ref, width } = useWidth<HTMLDivElement>();
  const count = Math.min(values.length, stripCapacity(Math.max(140, width)));
  const start = Math.max(0, Math.min(values.length - count, Math.round(zoom.centre - count / 2)));
  const order = arrangement === 'sorted' ? descendingOrder(values) : undefined;
  const kept = new Set(plan?.[zoom.layer]?.[zoom.module]);
  const items = Array.from({ length: count }, (_, place) => {
    const index = order ? (order[start + place] ?? 0) : start + place;
    return { index, value: values[index] ?? 0, removed: plan !== undefined && !kept.has(index) };
  });
  const noun = groupNoun(groups[zoom.layer], zoom.module).many;
  const range = order
    ? `ranks ${start + 1} to ${start + count} of ${values.length}`
    : `${start} to ${start + count - 1} of ${values.length}`;
  const move = (by: number) =>
    setView({
      zoom: { ...zoom, centre: Math.max(count / 2, Math.min(values.length - count / 2, start + count / 2 + by)) },
    });
  return (
    <section className="layer-zoom" ref={ref} aria-label={`Layer ${zoom.layer}, single ${noun}`}>
      <p className="small">
        <strong>
          Layer {zoom.layer}, {noun}
        </strong>{' '}
        <span className="soft">{range}</span>
        <span className="zoom-buttons">
          <button type="button" className="quiet" disabled={start === 0} onClick={() => move(-count * 0.8)}>
            Before
          </button>
          <button
            type="button"
            className="quiet"
            disabled={start + count >= values.length}
            onClick={() => move(count * 0.8)}
          >
            After
          </button>
          <button type="button" className="quiet" onClick={() => setView({ zoom: undefined })}>
            Close
          </button>
        </span>
      </p>
      <NeuronStrip
        items={items}
        scale={scale}
        colours={colours}
        width={Math.max(140, width)}
        height={HEIGHT}
        label={`Importance of ${noun} of layer ${zoom.layer}, ${range}; ${items.filter(({ removed }) => removed).length} of them go`}
      />
    </section>
  );
}
