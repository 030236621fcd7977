import { assertClose, type ConformanceCase, evaluateOne, numbers, randomTensor } from './case.ts';
import { matrix, product, transposed } from './reference.ts';

const GEMM_SIZES = [
  { rows: 5, inner: 7, columns: 3 },
  { rows: 33, inner: 64, columns: 48 },
];

const gemms: ConformanceCase[] = GEMM_SIZES.flatMap(({ rows, inner, columns }) =>
  [0, 1].flatMap((transA) =>
    [0, 1].map((transB) => ({
      name: `Gemm ${rows}x${inner}x${columns}, transA=${transA}, transB=${transB}, with bias`,
      async run(runtime) {
        const a = randomTensor(transA ? [inner, rows] : [rows, inner], 1);
        const b = randomTensor(transB ? [columns, inner] : [inner, columns], 2);
        const bias = randomTensor([columns], 3);
        const result = await evaluateOne(
          runtime,
          { a, b, bias },
          (builder) => builder.add('Gemm', ['a', 'b', 'bias'], { transA, transB }),
          {
            shape: [rows, columns],
          },
        );
        const left = matrix(a.data as Float32Array, Number(a.shape[0]), Number(a.shape[1]));
        const right = matrix(b.data as Float32Array, Number(b.shape[0]), Number(b.shape[1]));
        const plain = product(transA ? transposed(left) : left, transB ? transposed(right) : right);
        const offsets = numbers(bias);
        assertClose(
          result,
          [rows, columns],
          plain.map((value, index) => value + Number(offsets[index % columns])),
          'the product',
        );
      },
    })),
  ),
);

/** Shapes of a and b of MatMul; b's batch sizes are those of a or 1. */
const MATMULS: readonly { readonly a: readonly number[]; readonly b: readonly number[] }[] = [
  { a: [4, 5], b: [5, 6] },
  { a: [1, 40], b: [40, 24] },
  { a: [2, 3, 8, 16], b: [2, 3, 16, 4] },
  { a: [3, 7, 9], b: [9, 5] },
  { a: [2, 1, 17, 33], b: [2, 1, 33, 20] },
];

const matmuls: ConformanceCase[] = MATMULS.map(({ a, b }) => ({
  name: `MatMul [${a.join(', ')}] by [${b.join(', ')}]`,
  async run(runtime) {
    const [left, right] = [randomTensor(a, 4), randomTensor(b, 5)];
    const [rows, inner, columns] = [Number(a.at(-2)), Number(a.at(-1)), Number(b.at(-1))];
    const shape = [...a.slice(0, -1), columns];
    const result = await evaluateOne(runtime, { left, right }, (builder) => builder.add('MatMul', ['left', 'right']), {
      shape,
    });
    const batches = left.data.length / (rows * inner);
    const rightStep = b.length === 2 ? 0 : inner * columns;
    const expected = Array.from({ length: batches }, (_, batch) =>
      product(
        matrix(left.data as Float32Array, rows, inner, batch * rows * inner),
        matrix(right.data as Float32Array, inner, columns, batch * rightStep),
      ),
    ).flat();
    assertClose(result, shape, expected, 'the product');
  },
}));

export const PRODUCT_CASES: readonly ConformanceCase[] = [...gemms, ...matmuls];
