import { blockColumns, cellExtent, type HeatmapLayout, type HeatmapModule, type HeatmapRow } from './heatmap-layout.ts';
import type { NormalisedScale } from './normalise.ts';
import type { Palette } from './palette.ts';

/** Per layer and module: one value of every cell, such as its mean (for attention the value itself). */
export type CellMeans = readonly Readonly<Record<HeatmapModule, Float32Array>>[];
/** Per layer and module: the share of every cell that a plan removes. */
export type CellShares = CellMeans;

/**
 * One pixel per cell and band, rows top to bottom, for one module: what is stretched onto the canvas. The bands of a row lie below each other, so that a cell shows its
 * largest value above its mean above its smallest. RGBA [rows * bands * columns * 4].
 */
export function heatmapPixels(
  bands: readonly CellMeans[],
  module: HeatmapModule,
  columns: number,
  scale: NormalisedScale,
  colours: Uint8ClampedArray,
): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray((bands[0]?.length ?? 0) * bands.length * columns * 4);
  const last = colours.length / 3 - 1;
  bands.forEach((means, band) => {
    means.forEach((row, layer) => {
      const values = row[module];
      for (let column = 0; column < values.length && column < columns; column += 1) {
        const step = Math.round(scale.position(values[column] ?? 0) * last) * 3;
        const at = ((layer * bands.length + band) * columns + column) * 4;
        pixels[at] = colours[step] ?? 0;
        pixels[at + 1] = colours[step + 1] ?? 0;
        pixels[at + 2] = colours[step + 2] ?? 0;
        pixels[at + 3] = 255;
      }
    });
  });
  return pixels;
}

/** A rectangle of removed groups, in CSS pixels. */
export interface RemovedRectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Rectangles that cover what a plan removes. A bin whose groups go only in part is covered from below by that share; neighbours of equal share are joined,
 * so that a sorted row is one or two rectangles.
 */
export function removedRectangles(
  layout: HeatmapLayout,
  rows: readonly HeatmapRow[],
  shares: CellShares,
): RemovedRectangle[] {
  const rectangles: RemovedRectangle[] = [];
  const rowHeight = layout.rowHeight - layout.rowGap;
  rows.forEach((row, layer) => {
    for (const module of ['attention', 'mlp'] as const) {
      const block = layout[module];
      const values = shares[layer]?.[module];
      const columns = blockColumns(block, row[module].length);
      for (let column = 0; column < columns; ) {
        const share = values?.[column] ?? 0;
        let end = column + 1;
        while (end < columns && values?.[end] === share) end += 1;
        if (share > 0) {
          const x = cellExtent(block, column).x;
          const height = rowHeight * share;
          rectangles.push({
            x,
            y: layer * layout.rowHeight + rowHeight - height,
            width: cellExtent(block, end).x - x,
            height,
          });
        }
        column = end;
      }
    }
  });
  return rectangles;
}

/** What of a 2D context the heatmap needs: the real one, or a recording one in tests. */
export type HeatmapContext = Pick<
  CanvasRenderingContext2D,
  'clearRect' | 'drawImage' | 'beginPath' | 'rect' | 'fill' | 'setTransform' | 'imageSmoothingEnabled' | 'fillStyle'
>;

export interface HeatmapImages {
  /** Bands of a row. */
  readonly bands: number;
  /** One pixel per cell and band, made by `heatmapPixels`. */
  readonly attention: CanvasImageSource;
  readonly mlp: CanvasImageSource;
  /** Repeating hatch in the colour of what is cut. */
  readonly hatch: CanvasPattern | string;
}

/** Draws one frame: heat, then what the plan removes on top. Cheap enough for every slider move. */
export function drawHeatmap(
  context: HeatmapContext,
  layout: HeatmapLayout,
  images: HeatmapImages,
  removed: readonly RemovedRectangle[],
  palette: Palette,
  pixelRatio: number,
): void {
  context.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
  context.clearRect(0, 0, layout.width, layout.height);
  context.imageSmoothingEnabled = false;
  const height = layout.rowHeight - layout.rowGap;
  for (const module of ['attention', 'mlp'] as const) {
    const { x, width, columns } = layout[module];
    for (let layer = 0; layer < layout.rows; layer += 1)
      context.drawImage(
        images[module],
        0,
        layer * images.bands,
        columns,
        images.bands,
        x,
        layer * layout.rowHeight,
        width,
        height,
      );
  }
  context.beginPath();
  for (const rectangle of removed) context.rect(rectangle.x, rectangle.y, rectangle.width, rectangle.height);
  for (const style of [palette.cutWash, images.hatch]) {
    context.fillStyle = style;
    context.fill();
  }
}
