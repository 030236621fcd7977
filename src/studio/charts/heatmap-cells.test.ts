import { describe, expect, it } from 'vitest';
import { arrangeRows, cellBands, cellShares, readCell } from './heatmap-cells.ts';
import { heatmapLayout } from './heatmap-layout.ts';

const rows = [
  { attention: Float32Array.of(1, 4, 2), mlp: Float32Array.from({ length: 400 }, (_, neuron) => (neuron * 37) % 400) },
  { attention: Float32Array.of(3, 1, 2), mlp: Float32Array.from({ length: 400 }, (_, neuron) => neuron) },
];
const layout = heatmapLayout(rows, 320, 38);
const plan = [
  { attention: [1, 2], mlp: [...Array(400).keys()].filter((neuron) => (neuron * 37) % 400 >= 100) },
  { attention: [0, 1, 2], mlp: [...Array(400).keys()] },
];

describe('arranged rows', () => {
  it('sorts every module from important to unimportant', () => {
    const arranged = arrangeRows(rows, layout, 'sorted');
    expect([...(cellBands(arranged)[1]?.[0]?.attention ?? [])]).toEqual([4, 2, 1]);
    const means = [...(cellBands(arranged)[1]?.[0]?.mlp ?? [])];
    expect(means).toEqual([...means].sort((a, b) => b - a));
  });

  it('has bands that enclose the mean, wide in place and narrow when sorted', () => {
    const spread = (arrangement: 'sorted' | 'place') => {
      const [largest, mean, smallest] = cellBands(arrangeRows(rows, layout, arrangement)).map((band) => [
        ...(band[0]?.mlp ?? []),
      ]);
      (mean ?? []).forEach((value, bin) => {
        expect(largest?.[bin]).toBeGreaterThanOrEqual(value);
        expect(smallest?.[bin]).toBeLessThanOrEqual(value);
      });
      return (largest ?? []).reduce((sum, value, bin) => sum + value - (smallest?.[bin] ?? 0), 0);
    };
    expect(spread('sorted')).toBeLessThan(spread('place') / 10);
  });

  it('removes the tail of a sorted row, and the share of the plan', () => {
    const arranged = arrangeRows(rows, layout, 'sorted');
    const shares = cellShares(arranged, plan);
    const mlp = [...(shares[0]?.mlp ?? [])];
    expect(mlp.at(-1)).toBe(1);
    expect(mlp[0]).toBe(0);
    expect([...(shares[1]?.mlp ?? [])].every((share) => share === 0)).toBe(true);
    expect([...(shares[0]?.attention ?? [])]).toEqual([0, 0, 1]);
  });

  it('reads cells out in words', () => {
    const arranged = arrangeRows(rows, layout, 'sorted');
    const shares = cellShares(arranged, plan);
    expect(readCell(arranged, shares, { layer: 0, module: 'attention', column: 2 })).toEqual({
      title: 'Layer 0 · attention group 0 · rank 3 of 3',
      value: '1',
      fate: 'goes',
    });
    const inPlace = arrangeRows(rows, layout, 'place');
    expect(readCell(inPlace, cellShares(inPlace, plan), { layer: 1, module: 'mlp', column: 0 })).toMatchObject({
      fate: 'all stay',
    });
    expect(
      readCell(inPlace, cellShares(inPlace, undefined), { layer: 1, module: 'mlp', column: 9999 }),
    ).toBeUndefined();
  });
});
