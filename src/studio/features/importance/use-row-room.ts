import { heatmapRowHeight } from '../../charts/heatmap-layout.ts';
import { useSize } from '../../charts/use-size.ts';
import { FLOWING, useMedia } from '../bench/use-media.ts';

/** What stands above the map's rows, in pixels. */
const HEADS = 22;
/** Height of a row in pixels where the page flows, and how many rows the map asks for then. */
const FLOWING_ROWS = { height: 34, most: 12 } as const;

/** The room that a map of so many layers has: the width in pixels of the element with `ref`, the height of a row, and what is left below the rows. Where the page flows, the map asks for its height instead of filling one. */
export function useRowRoom(layers: number) {
  const { ref, width, height } = useSize<HTMLDivElement>();
  const isFlowing = useMedia(FLOWING);
  const rowHeight = heatmapRowHeight(
    layers,
    isFlowing ? FLOWING_ROWS.height * Math.min(layers, FLOWING_ROWS.most) : height - HEADS,
  );
  return { ref, width, rowHeight, spare: isFlowing ? 0 : height - HEADS - rowHeight * layers };
}
