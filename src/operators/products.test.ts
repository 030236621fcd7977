import { describe, it } from 'vitest';
import { float } from '../onnx/builder.ts';
import { expectGradients } from './testing/finite-differences.ts';

type Shape = (string | number)[];

describe('Gemm', () => {
  const transposes = [0, 1].flatMap((transA) => [0, 1].map((transB) => ({ transA, transB })));
  it.each(transposes)('transA $transA, transB $transB, alpha and beta, bias per column', async ({ transA, transB }) => {
    await expectGradients({
      build: (builder, input) =>
        builder.add(
          'Gemm',
          [
            input('A', transA ? ['b', 'a'] : ['a', 'b']),
            input('B', transB ? ['c', 'b'] : ['b', 'c']),
            input('C', ['c']),
          ],
          {
            transA,
            transB,
            alpha: float(0.5),
            beta: float(-2),
          },
        ),
    });
  });

  it.each<{ shape: Shape }>([
    { shape: [] },
    { shape: [1] },
    { shape: ['a', 1] },
    { shape: [1, 'c'] },
    { shape: ['a', 'c'] },
  ])('broadcasts C $shape', async ({ shape }) => {
    await expectGradients({
      build: (builder, input) =>
        builder.add('Gemm', [input('A', ['a', 'b']), input('B', ['b', 'c']), input('C', shape)]),
    });
  });

  it('works without C', async () => {
    await expectGradients({
      build: (builder, input) => builder.add('Gemm', [input('A', ['a', 'b']), input('B', ['c', 'b'])], { transB: 1 }),
    });
  });
});

describe('MatMul', () => {
  it.each<{ a: Shape; b: Shape }>([
    { a: ['a', 'b'], b: ['b', 'c'] },
    { a: ['a', 'c', 'b'], b: ['b', 'd'] },
    { a: ['a', 'c', 'b'], b: ['a', 'b', 'd'] },
    { a: ['a', 1, 'c', 'b'], b: ['d', 'b', 'c'] },
    { a: ['c', 'b'], b: ['a', 'b', 'd'] },
    { a: ['b'], b: ['b'] },
    { a: ['b'], b: ['b', 'c'] },
    { a: ['a', 'b'], b: ['b'] },
    { a: ['b'], b: ['a', 'b', 'c'] },
    { a: ['a', 'c', 'b'], b: ['b'] },
  ])('$a times $b', async ({ a, b }) => {
    await expectGradients({ build: (builder, input) => builder.add('MatMul', [input('A', a), input('B', b)]) });
  });

  it('has fixed widths in its flattened weight gradient', async () => {
    await expectGradients({
      build: (builder, input) => builder.add('MatMul', [input('A', ['a', 'b', 4]), input('B', [4, 3])]),
    });
  });
});
