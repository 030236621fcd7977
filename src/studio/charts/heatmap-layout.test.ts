import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blockColumns, cellAt, cellExtent, type HeatmapCell, heatmapLayout, moveCursor } from './heatmap-layout.ts';

const rows = (layers: number, groups: number, neurons: number) =>
  Array.from({ length: layers }, () => ({ attention: new Float32Array(groups), mlp: new Float32Array(neurons) }));

describe('heatmapLayout', () => {
  it('finds every cell again at its own middle, at any size', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 32 }),
        fc.integer({ min: 1, max: 4000 }),
        fc.integer({ min: 240, max: 1800 }),
        (layers, groups, neurons, width) => {
          const data = rows(layers, groups, neurons);
          const layout = heatmapLayout(data, width, 24);
          for (const module of ['attention', 'mlp'] as const)
            for (const column of [0, blockColumns(layout[module], data[0]?.[module].length ?? 1) - 1]) {
              const { x, width: cell } = cellExtent(layout[module], column);
              const found = cellAt(layout, data, x + cell / 2, layout.height - layout.rowHeight / 2);
              expect(found).toEqual({ layer: layers - 1, module, column });
            }
          expect(layout.mlp.x + layout.mlp.width).toBeLessThanOrEqual(width);
        },
      ),
    );
  });

  it('shows single neurons where there is room and bins of at least two pixels where not', () => {
    expect(heatmapLayout(rows(8, 4, 100), 900, 38).mlp.columns).toBe(100);
    const { mlp } = heatmapLayout(rows(30, 3, 1536), 900, 11);
    expect(mlp.width / mlp.columns).toBeGreaterThanOrEqual(2);
  });

  it('finds nothing in the gap and beyond', () => {
    const data = rows(2, 4, 100);
    const layout = heatmapLayout(data, 400, 38);
    expect(cellAt(layout, data, layout.mlp.x - 4, 3)).toBeUndefined();
    expect(cellAt(layout, data, 500, 3)).toBeUndefined();
    expect(cellAt(layout, data, 3, 4000)).toBeUndefined();
  });
});

describe('moveCursor', () => {
  const data = rows(3, 4, 50);
  const layout = heatmapLayout(data, 500, 38);
  const start: HeatmapCell = { layer: 0, module: 'attention', column: 0 };

  it('walks the whole row from attention into the MLP and back', () => {
    let cell = start;
    for (let step = 0; step < 200; step += 1) cell = moveCursor(layout, data, cell, 'right');
    expect(cell).toEqual({ layer: 0, module: 'mlp', column: layout.mlp.columns - 1 });
    for (let step = 0; step < 200; step += 1) cell = moveCursor(layout, data, cell, 'left');
    expect(cell).toEqual(start);
  });

  it('stays inside the map', () => {
    expect(moveCursor(layout, data, start, 'up')).toEqual(start);
    expect(moveCursor(layout, data, start, 'last')).toEqual({
      layer: 2,
      module: 'mlp',
      column: layout.mlp.columns - 1,
    });
    expect(moveCursor(layout, data, moveCursor(layout, data, start, 'last'), 'down').layer).toBe(2);
    expect(moveCursor(layout, data, moveCursor(layout, data, start, 'last'), 'first')).toEqual(start);
  });
});
