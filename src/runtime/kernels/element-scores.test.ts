import { describe, expect, test } from 'vitest';
import {
  channelCount,
  type ElementScoreOptions,
  elementScoresKernel,
  sumTilesKernel,
  tileCount,
  totalRows,
} from './element-scores.ts';

const sizes = { windows: 3, tokens: 20, inputs: 96, outputs: 40 };

describe('element score kernels', () => {
  test.each([
    { axis: 0, keep: 'sums', inputs: 96 },
    { axis: 1, keep: 'reductions', inputs: 96 },
    { axis: 1, keep: 'sums', inputs: 97 },
  ] as const)('WGSL of axis $axis, $keep, $inputs inputs', ({ axis, keep, inputs }) => {
    const { code, uniforms, buffers, workgroups } = elementScoresKernel({ sizes: { ...sizes, inputs }, axis, keep });
    expect(code).toMatchSnapshot();
    expect({ uniforms, buffers, workgroups }).toMatchSnapshot();
  });

  test('the code depends on the layout only, so that layers of all sizes share pipelines', () => {
    const options: ElementScoreOptions = { sizes, axis: 0, keep: 'sums' };
    const wider = elementScoresKernel({ ...options, sizes: { windows: 9, tokens: 128, inputs: 576, outputs: 1536 } });
    expect(wider.code).toBe(elementScoresKernel(options).code);
    expect(wider.workgroups).toEqual([18, 48, 1]);
  });

  test('rows, tiles and channels follow the axis', () => {
    expect([totalRows, tileCount, channelCount].map((rule) => rule({ sizes, axis: 0, keep: 'sums' }))).toEqual([
      3, 3, 40,
    ]);
    expect([totalRows, tileCount, channelCount].map((rule) => rule({ sizes, axis: 1, keep: 'reductions' }))).toEqual([
      6, 2, 96,
    ]);
    expect(sumTilesKernel({ sizes, axis: 1, keep: 'reductions' })).toMatchObject({
      uniforms: [6, 2, 96],
      workgroups: [2, 6, 1],
    });
  });

  test('workgroup memory stays within what every device has', () => {
    const { code } = elementScoresKernel({ sizes, axis: 0, keep: 'sums' });
    const bytes = [...code.matchAll(/var<workgroup> \w+: array<(vec4f|f32), (\d+)>/g)].map(
      ([, type, count]) => (type === 'vec4f' ? 16 : 4) * Number(count),
    );
    expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(16384);
  });
});
