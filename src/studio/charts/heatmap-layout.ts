/** What the heatmap shows: per layer a value for every attention group and every neuron, [groups] and [neurons]. */
export interface HeatmapRow {
  readonly attention: Float32Array;
  readonly mlp: Float32Array;
  /** How single ones and several are called; default: attention groups and neurons. */
  readonly nouns?: Readonly<Record<HeatmapModule, Noun>> | undefined;
}

interface Noun {
  readonly one: string;
  readonly many: string;
}

/** Of layers of the usual kind. */
export const USUAL_NOUNS: Readonly<Record<HeatmapModule, Noun>> = {
  attention: { one: 'attention group', many: 'attention groups' },
  mlp: { one: 'neuron', many: 'neurons' },
};

export type HeatmapModule = 'attention' | 'mlp';

/** One module's part of the heatmap in CSS pixels. All rows share it; a row with fewer items ends earlier. */
export interface HeatmapBlock {
  readonly x: number;
  readonly width: number;
  /** Cells of the widest row: groups, or bins of neurons. */
  readonly columns: number;
  /** Items (groups, neurons) of the widest row. */
  readonly items: number;
}

export interface HeatmapLayout {
  readonly width: number;
  readonly height: number;
  readonly rows: number;
  readonly rowHeight: number;
  readonly rowGap: number;
  readonly attention: HeatmapBlock;
  readonly mlp: HeatmapBlock;
}

/** A cell: `column` counts groups or bins in layout order. */
export interface HeatmapCell {
  readonly layer: number;
  readonly module: HeatmapModule;
  readonly column: number;
}

const BLOCK_GAP = 12;
/** Narrowest bin: below two pixels single bins can no longer be told apart. */
const BIN_WIDTH = 2;

/** Heights that a row may have: below the smallest its number can no longer be read. */
const ROW_HEIGHTS = { smallest: 10, largest: 46 } as const;

/** Row height for a number of layers in `height` pixels, within `ROW_HEIGHTS`. */
export function heatmapRowHeight(layers: number, height: number): number {
  return Math.max(ROW_HEIGHTS.smallest, Math.min(ROW_HEIGHTS.largest, Math.floor(height / Math.max(1, layers))));
}

/** Places attention groups and neuron bins side by side in `width` pixels, in rows of `rowHeight`. */
export function heatmapLayout(rows: readonly HeatmapRow[], width: number, rowHeight: number): HeatmapLayout {
  const groups = Math.max(1, ...rows.map((row) => row.attention.length));
  const neurons = Math.max(1, ...rows.map((row) => row.mlp.length));
  const cell = Math.max(3, Math.min(rowHeight * 1.6, Math.floor((width * 0.28) / groups)));
  const attentionWidth = Math.round(cell * groups);
  const mlpX = attentionWidth + BLOCK_GAP;
  const mlpWidth = Math.max(BIN_WIDTH, Math.floor(width) - mlpX);
  return {
    width: Math.floor(width),
    height: rowHeight * rows.length,
    rows: rows.length,
    rowHeight,
    rowGap: rowHeight >= 16 ? 2 : 1,
    attention: { x: 0, width: attentionWidth, columns: groups, items: groups },
    mlp: {
      x: mlpX,
      width: mlpWidth,
      columns: Math.max(1, Math.min(neurons, Math.floor(mlpWidth / BIN_WIDTH))),
      items: neurons,
    },
  };
}

/** Bins of a row of `items` items in a block: as many as keep the block's pixels per item. */
export function blockColumns(block: HeatmapBlock, items: number): number {
  return Math.max(1, Math.round((block.columns * items) / block.items));
}

/** Left edge and width of a cell. */
export function cellExtent(block: HeatmapBlock, column: number): { readonly x: number; readonly width: number } {
  const width = block.width / block.columns;
  return { x: block.x + column * width, width };
}

/** The cell under a point, or undefined between and beyond the blocks. */
export function cellAt(
  layout: HeatmapLayout,
  rows: readonly HeatmapRow[],
  x: number,
  y: number,
): HeatmapCell | undefined {
  const layer = Math.floor(y / layout.rowHeight);
  const row = rows[layer];
  if (row === undefined) return undefined;
  for (const module of ['attention', 'mlp'] as const) {
    const block = layout[module];
    const column = Math.floor(((x - block.x) / block.width) * block.columns);
    if (x >= block.x && column < blockColumns(block, row[module].length)) return { layer, module, column };
  }
  return undefined;
}

export type CursorMove = 'left' | 'right' | 'up' | 'down' | 'row-start' | 'row-end' | 'first' | 'last';

/** Where a keyboard move takes the cell cursor; it crosses from attention to MLP and stays inside the map. */
export function moveCursor(
  layout: HeatmapLayout,
  rows: readonly HeatmapRow[],
  from: HeatmapCell,
  move: CursorMove,
): HeatmapCell {
  const columns = (layer: number, module: HeatmapModule) =>
    blockColumns(layout[module], rows[layer]?.[module].length ?? 1);
  const at = (layer: number, module: HeatmapModule, column: number): HeatmapCell => ({
    layer,
    module,
    column: Math.max(0, Math.min(columns(layer, module) - 1, column)),
  });
  const { layer, module, column } = from;
  const last = rows.length - 1;
  switch (move) {
    case 'left':
      return column > 0 || module === 'attention'
        ? at(layer, module, column - 1)
        : at(layer, 'attention', columns(layer, 'attention') - 1);
    case 'right':
      return module === 'attention' && column >= columns(layer, 'attention') - 1
        ? at(layer, 'mlp', 0)
        : at(layer, module, column + 1);
    case 'up':
      return at(Math.max(0, layer - 1), module, column);
    case 'down':
      return at(Math.min(last, layer + 1), module, column);
    case 'row-start':
      return at(layer, 'attention', 0);
    case 'row-end':
      return at(layer, 'mlp', columns(layer, 'mlp') - 1);
    case 'first':
      return at(0, 'attention', 0);
    case 'last':
      return at(last, 'mlp', columns(last, 'mlp') - 1);
  }
}
