import { type KeyboardEvent, type PointerEvent, type ReactNode, useLayoutEffect, useMemo, useRef } from 'react';
import type { LayerPlan } from '../../plan/plan.ts';
import { heatColours, type Theme } from './heat-scale.ts';
import { type ArrangedRow, arrangeRows, cellBands, cellShares, readCell } from './heatmap-cells.ts';
import { drawHeatmap, heatmapPixels, removedRectangles } from './heatmap-draw.ts';
import {
  type CursorMove,
  cellAt,
  cellExtent,
  type HeatmapCell,
  type HeatmapLayout,
  type HeatmapModule,
  type HeatmapRow,
  heatmapLayout,
  moveCursor,
} from './heatmap-layout.ts';
import type { NormalisedScale } from './normalise.ts';
import { PALETTES, type Palette } from './palette.ts';
import { useWidth } from './use-width.ts';

export interface HeatmapProps {
  readonly rows: readonly HeatmapRow[];
  /** Layers of the plan; undefined draws no removal. */
  readonly plan: readonly LayerPlan[] | undefined;
  readonly scale: NormalisedScale;
  readonly arrangement: 'sorted' | 'place';
  readonly theme: Theme;
  readonly rowHeight: number;
  /** What the left columns are. */
  readonly attentionTitle?: ReactNode;
  readonly cursor: HeatmapCell | undefined;
  readonly onCursor: (cell: HeatmapCell | undefined) => void;
  /** A cell was chosen (click, Enter): its layer and the place in it. */
  readonly onChoose: (layer: number, module: HeatmapModule, place: number) => void;
  /** P was pressed on a cell: its layer is to be kept whole, or freed. */
  readonly onProtect: (layer: number) => void;
}

const KEYS: Readonly<Record<string, CursorMove>> = {
  ArrowLeft: 'left',
  ArrowRight: 'right',
  ArrowUp: 'up',
  ArrowDown: 'down',
  Home: 'row-start',
  End: 'row-end',
  PageUp: 'first',
  PageDown: 'last',
};

/** Importance of every attention group and neuron, one row a layer, with what the plan removes on it. Pointer and arrow keys move a cell cursor. */
export function Heatmap({
  rows,
  plan,
  scale,
  arrangement,
  theme,
  rowHeight,
  attentionTitle,
  cursor,
  onCursor,
  onChoose,
  onProtect,
}: HeatmapProps) {
  const { ref, width } = useWidth<HTMLDivElement>();
  const layout = useMemo(() => heatmapLayout(rows, Math.max(160, width), rowHeight), [rows, width, rowHeight]);
  const arranged = useMemo(() => arrangeRows(rows, layout, arrangement), [rows, layout, arrangement]);
  const shares = useMemo(() => cellShares(arranged, plan), [arranged, plan]);
  const canvas = useCanvas(
    layout,
    arranged,
    scale,
    theme,
    useMemo(() => removedRectangles(layout, rows, shares), [layout, rows, shares]),
    width > 0,
  );
  const reading = cursor && readCell(arranged, shares, cursor);

  const choose = ({ layer, module, column }: HeatmapCell) =>
    onChoose(layer, module, arranged[layer]?.[module].edges[column] ?? 0);
  const onKeyDown = (event: KeyboardEvent) => {
    const move = KEYS[event.key];
    if (event.key === 'Escape') onCursor(undefined);
    if (event.key === 'Enter' && cursor) choose(cursor);
    if (event.key === 'p' && cursor) onProtect(cursor.layer);
    if (!move) return;
    event.preventDefault();
    onCursor(cursor ? moveCursor(layout, rows, cursor, move) : { layer: 0, module: 'attention', column: 0 });
  };
  const onPointerMove = (event: PointerEvent<HTMLElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    const cell = cellAt(layout, rows, event.clientX - box.left, event.clientY - box.top);
    if (cell?.layer !== cursor?.layer || cell?.module !== cursor?.module || cell?.column !== cursor?.column)
      onCursor(cell);
  };

  return (
    <div className="heatmap" ref={ref}>
      <div className="heatmap-heads">
        <span style={{ width: layout.attention.width }}>
          {attentionTitle ?? (layout.attention.width > 90 ? 'Attention groups' : 'Attention')}
        </span>
        <span>
          {layout.mlp.items} neurons
          {layout.mlp.items / layout.mlp.columns >= 1.5
            ? `, about ${Math.round(layout.mlp.items / layout.mlp.columns)} per bin`
            : ''}
        </span>
      </div>
      <div
        className="heatmap-map"
        role="application"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the map takes arrow keys, and its readings are announced below.
        tabIndex={0}
        aria-label={`Importance of ${rows.length} layers by attention groups and neurons. Arrow keys move from cell to cell, Enter shows a layer's single groups, P keeps a layer whole.`}
        style={{ height: layout.height }}
        onKeyDown={onKeyDown}
        onPointerMove={onPointerMove}
        onPointerLeave={() => onCursor(undefined)}
        onClick={() => cursor && choose(cursor)}
      >
        <canvas ref={canvas} style={{ width: layout.width, height: layout.height }} />
        {cursor && <CellCursor layout={layout} cell={cursor} />}
        {cursor && reading && (
          <div className={cursorSide(layout, cursor)} style={tooltipPlace(layout, cursor)}>
            <strong>{reading.title}</strong>
            <span>{reading.value}</span>
            <span
              className={reading.fate.startsWith('all stay') || reading.fate === 'stays' ? 'fate-kept' : 'fate-cut'}
            >
              {reading.fate}
            </span>
          </div>
        )}
      </div>
      <p className="visually-hidden" aria-live="polite">
        {reading ? `${reading.title}: ${reading.value}, ${reading.fate}` : ''}
      </p>
    </div>
  );
}

function CellCursor({ layout, cell }: { readonly layout: HeatmapLayout; readonly cell: HeatmapCell }) {
  const { x, width } = cellExtent(layout[cell.module], cell.column);
  const top = cell.layer * layout.rowHeight;
  return (
    <div
      className="heatmap-cursor"
      style={{
        transform: `translate(${x - 1}px, ${top - 1}px)`,
        width: width + 2,
        height: layout.rowHeight - layout.rowGap + 2,
      }}
    />
  );
}

function cursorSide(layout: HeatmapLayout, cell: HeatmapCell): string {
  const { x } = cellExtent(layout[cell.module], cell.column);
  return `tooltip ${x > layout.width / 2 ? 'tooltip-left' : ''}`;
}

function tooltipPlace(layout: HeatmapLayout, cell: HeatmapCell) {
  const { x, width } = cellExtent(layout[cell.module], cell.column);
  return { left: x + width / 2, top: (cell.layer + 1) * layout.rowHeight + 4 };
}

/** Paints the cells once per change of values or theme, and a frame per change of the plan. */
function useCanvas(
  layout: HeatmapLayout,
  arranged: readonly ArrangedRow[],
  scale: NormalisedScale,
  theme: Theme,
  removed: ReturnType<typeof removedRectangles>,
  ready: boolean,
) {
  const ref = useRef<HTMLCanvasElement>(null);
  const images = useMemo(() => {
    if (!ready) return undefined;
    const colours = heatColours(theme);
    const bands = cellBands(arranged);
    const paint = (module: 'attention' | 'mlp') =>
      cellImage(heatmapPixels(bands, module, layout[module].columns, scale, colours), layout[module].columns);
    return { bands: bands.length, attention: paint('attention'), mlp: paint('mlp') };
  }, [arranged, layout, scale, theme, ready]);
  useLayoutEffect(() => {
    const context = ref.current?.getContext('2d');
    if (!context || !images) return;
    const pixelRatio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(layout.width * pixelRatio), Math.round(layout.height * pixelRatio)];
    if (context.canvas.width !== width) context.canvas.width = width;
    if (context.canvas.height !== height) context.canvas.height = height;
    const palette = PALETTES[theme];
    drawHeatmap(context, layout, { ...images, hatch: hatchPattern(context, palette) }, removed, palette, pixelRatio);
  }, [images, layout, removed, theme]);
  return ref;
}

function cellImage(pixels: Uint8ClampedArray<ArrayBuffer>, columns: number): HTMLCanvasElement {
  const image = document.createElement('canvas');
  image.width = columns;
  image.height = pixels.length / columns / 4;
  image.getContext('2d')?.putImageData(new ImageData(pixels, columns), 0, 0);
  return image;
}

const HATCH = 6;
const patterns = new Map<string, CanvasPattern>();

/** Diagonal lines in the colour of what is cut. */
function hatchPattern(context: CanvasRenderingContext2D, palette: Palette): CanvasPattern | string {
  const known = patterns.get(palette.cut);
  if (known) return known;
  const tile = document.createElement('canvas');
  tile.width = HATCH;
  tile.height = HATCH;
  const ink = tile.getContext('2d');
  if (!ink) return palette.cutWash;
  ink.strokeStyle = palette.cut;
  ink.globalAlpha = 0.55;
  ink.lineWidth = 1;
  ink.beginPath();
  for (const offset of [-HATCH, 0, HATCH]) {
    ink.moveTo(offset, HATCH);
    ink.lineTo(offset + HATCH, 0);
  }
  ink.stroke();
  const pattern = context.createPattern(tile, 'repeat');
  if (pattern) patterns.set(palette.cut, pattern);
  return pattern ?? palette.cutWash;
}
