import { describe, expect, it } from 'vitest';
import type { LayerGroups } from '../../../importance/structures/structures.ts';
import type { LayerScores } from '../../../importance/sums/scores.ts';
import { fillingRows } from './filling-map.tsx';

const count = (groups: number, parametersPerGroup: number) => ({ groups, parametersPerGroup });
const attends: LayerGroups = { attention: count(2, 10), mlp: count(3, 4) };
const convolves: LayerGroups = { attention: count(0, 0), convolution: count(4, 5), mlp: count(3, 4) };
const scored = (attention: number[], mlp: number[], convolution?: number[]): LayerScores => ({
  attention: { 'element-second': Float32Array.from(attention) },
  mlp: { 'element-second': Float32Array.from(mlp) },
  ...(convolution && { convolution: { 'element-second': Float32Array.from(convolution) } }),
});

describe('the map of a model that is being scored', () => {
  it('has importance per parameter of the layers that are done, and nothing of the others', () => {
    const rows = fillingRows([attends, attends], new Map([[1, scored([20, 30], [4, 8, 12])]]));
    expect(rows.map(({ attention, mlp }) => [[...attention], [...mlp]])).toEqual([
      [[], []],
      [
        [2, 3],
        [1, 2, 3],
      ],
    ]);
  });

  it('shows the channels of a layer that convolves where others have heads', () => {
    const [row] = fillingRows([convolves], new Map([[0, scored([], [4, 4, 4], [5, 10, 15, 20])]]));
    expect([...(row?.attention ?? [])]).toEqual([1, 2, 3, 4]);
  });
});
