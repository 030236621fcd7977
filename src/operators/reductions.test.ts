import { describe, it } from 'vitest';
import { float } from '../onnx/builder.ts';
import { expectGradients } from './testing/finite-differences.ts';

const apart = (value: number, index: number) => value + (value < 0 ? -1 : 1) * (0.2 + index);

describe.each(['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceL1', 'ReduceSumSquare'])('%s', (type) => {
  it.each([
    { axes: [-1], keepdims: 1 },
    { axes: [1], keepdims: 0 },
    { axes: [0, 2], keepdims: 0 },
    { axes: [2, 0], keepdims: 1 },
    { axes: undefined, keepdims: 0 },
    { axes: undefined, keepdims: 1 },
  ])('over $axes, keepdims $keepdims', async ({ axes, keepdims }) => {
    await expectGradients({
      build: (builder, input) =>
        builder.add(type, [input('x', ['a', 'b', 4], { map: apart }), ...(axes ? [builder.integers(axes)] : [])], {
          keepdims,
        }),
    });
  });

  it('over one fixed axis needs no run-time shape', async () => {
    await expectGradients({
      build: (builder, input) =>
        builder.add(type, [input('x', ['a', 3], { map: apart }), builder.integers([1])], { keepdims: 0 }),
    });
  });

  it('leaves the tensor alone when no axes are asked to mean none', async () => {
    await expectGradients({
      build: (builder, input) =>
        builder.add(type, [input('x', ['a', 3], { map: apart })], { keepdims: 0, noop_with_empty_axes: 1 }),
    });
  });
});

describe.each(['Softmax', 'LogSoftmax'])('%s', (type) => {
  it.each([-1, 0, 1])('along axis %d', async (axis) => {
    await expectGradients({ build: (builder, input) => builder.add(type, [input('x', ['a', 'b', 'c'])], { axis }) });
  });
});

describe('SimplifiedLayerNormalization', () => {
  it.each([1, 2])('with %d outputs', async (outputs) => {
    await expectGradients({
      dataType: outputs === 1 ? 'float64' : 'float32',
      build: (builder, input) =>
        builder.addMany('SimplifiedLayerNormalization', [input('x', ['a', 'b', 6]), input('weight', [6])], outputs, {
          axis: -1,
          epsilon: float(1e-3),
        })[0] as string,
    });
  });

  it('over a symbolic width and two axes', async () => {
    await expectGradients({
      build: (builder, input) =>
        builder.add('SimplifiedLayerNormalization', [input('x', ['a', 'c']), input('weight', ['c'])], {
          axis: -1,
          epsilon: float(1e-2),
        }),
      sizes: [{ a: 3, c: 5 }],
    });
  });
});

describe('LayerNormalization', () => {
  it.each([true, false])('with a bias: %s', async (hasBias) => {
    await expectGradients({
      build: (builder, input) => {
        const inputs = [input('x', ['a', 'b', 6]), input('weight', [6]), ...(hasBias ? [input('bias', [6])] : [])];
        return builder.add('LayerNormalization', inputs, { axis: -1, epsilon: float(1e-3) });
      },
    });
  });

  it('over a symbolic width and two axes', async () => {
    await expectGradients({
      build: (builder, input) =>
        builder.add('LayerNormalization', [input('x', ['a', 'c']), input('weight', ['c']), input('bias', ['c'])], {
          axis: -1,
          epsilon: float(1e-2),
        }),
      sizes: [{ a: 3, c: 5 }],
    });
  });
});
