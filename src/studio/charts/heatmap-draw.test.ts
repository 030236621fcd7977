import { describe, expect, it } from 'vitest';
import { binEdges, descendingOrder, removedShares } from './bins.ts';
import { heatColours } from './heat-scale.ts';
import { drawHeatmap, type HeatmapContext, heatmapPixels, removedRectangles } from './heatmap-draw.ts';
import { heatmapLayout } from './heatmap-layout.ts';
import { normalisedScale } from './normalise.ts';
import { PALETTES } from './palette.ts';

const LAYERS = 30;
const NEURONS = 1536;
const rows = Array.from({ length: LAYERS }, (_, layer) => ({
  attention: Float32Array.from({ length: 3 }, (_unused, group) => 1 + group + layer),
  mlp: Float32Array.from({ length: NEURONS }, (_unused, neuron) => 1 + ((neuron * 7919 + layer * 31) % NEURONS)),
}));
const layout = heatmapLayout(rows, 900, 11);
const edges = { attention: binEdges(3, 3), mlp: binEdges(NEURONS, layout.mlp.columns) };
const orders = rows.map((row) => descendingOrder(row.mlp));
const kept = rows.map((row) => [...row.mlp.keys()].filter((neuron) => (row.mlp[neuron] ?? 0) > 300));
const shares = (sorted: boolean) =>
  rows.map((_row, layer) => ({
    attention: removedShares([0, 1], 3, undefined, edges.attention),
    mlp: removedShares(kept[layer] ?? [], NEURONS, sorted ? orders[layer] : undefined, edges.mlp),
  }));

describe('heatmapPixels', () => {
  it('paints one opaque pixel per cell in the colour of its value', () => {
    const colours = heatColours('light');
    const scale = normalisedScale('rank', [Float32Array.of(1, 2, 3)]);
    const pixels = heatmapPixels(
      [[{ attention: Float32Array.of(1, 3), mlp: Float32Array.of() }]],
      'attention',
      3,
      scale,
      colours,
    );
    expect([...pixels]).toEqual([...colours.slice(0, 3), 255, ...colours.slice(-3), 255, 0, 0, 0, 0]);
  });

  it('lays the bands of a row below each other', () => {
    const colours = heatColours('light');
    const scale = normalisedScale('rank', [Float32Array.of(1, 2, 3)]);
    const layer = (value: number) => ({ attention: Float32Array.of(value), mlp: Float32Array.of() });
    const pixels = heatmapPixels(
      [
        [layer(3), layer(3)],
        [layer(1), layer(3)],
      ],
      'attention',
      1,
      scale,
      colours,
    );
    const [least, most] = [
      [...colours.slice(0, 3), 255],
      [...colours.slice(-3), 255],
    ];
    expect([...pixels]).toEqual([most, least, most, most].flat());
  });
});

describe('removedRectangles', () => {
  it('covers exactly the removed share of the area', () => {
    for (const sorted of [true, false]) {
      const area = removedRectangles(layout, rows, shares(sorted)).reduce(
        (sum, { x, width, height }) => sum + (x >= layout.mlp.x ? width * height : 0),
        0,
      );
      const whole = layout.mlp.width * (layout.rowHeight - layout.rowGap) * LAYERS;
      const binsAreEven = 0.02;
      expect(Math.abs(area / whole - 300 / NEURONS)).toBeLessThan(binsAreEven);
    }
  });

  it('joins what is sorted into at most two rectangles a row', () => {
    const inMlp = removedRectangles(layout, rows, shares(true)).filter(({ x }) => x >= layout.mlp.x);
    expect(inMlp.length).toBeLessThanOrEqual(2 * LAYERS);
  });
});

describe('drawHeatmap', () => {
  it('draws every row of both modules, then covers what goes with wash and hatch', () => {
    const calls: string[] = [];
    const record =
      (name: string) =>
      (...values: unknown[]) => {
        calls.push(
          `${name} ${values.filter((value) => typeof value === 'number').map((value) => Math.round((value as number) * 10) / 10)}`,
        );
      };
    const context = {
      clearRect: record('clear'),
      drawImage: record('image'),
      beginPath: record('begin'),
      rect: record('rect'),
      fill: () => calls.push(`fill ${context.fillStyle}`),
      setTransform: record('transform'),
      imageSmoothingEnabled: true,
      fillStyle: '' as string,
    };
    const images = { bands: 3, attention: {} as CanvasImageSource, mlp: {} as CanvasImageSource, hatch: 'hatch' };
    const small = heatmapLayout(rows.slice(0, 2), 300, 38);
    drawHeatmap(
      context as unknown as HeatmapContext,
      small,
      images,
      [{ x: 10, y: 0, width: 5, height: 9 }],
      PALETTES.light,
      2,
    );
    expect(context.imageSmoothingEnabled).toBe(false);
    expect(calls).toMatchInlineSnapshot(`
      [
        "transform 2,0,0,2,0,0",
        "clear 0,0,300,76",
        "image 0,0,3,3,0,0,84,36",
        "image 0,3,3,3,0,38,84,36",
        "image 0,0,102,3,96,0,204,36",
        "image 0,3,102,3,96,38,204,36",
        "begin ",
        "rect 10,0,5,9",
        "fill #f8e3d9",
        "fill hatch",
      ]
    `);
  });
});
