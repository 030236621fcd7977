import { float } from '../../onnx/builder.ts';
import { assertClose, type ConformanceCase, evaluate, evaluateOne, found, numbers, randomTensor } from './case.ts';
import { groupsOver, inverseRootMeanSquare, mapRows, softmax } from './reference.ts';

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const REDUCTIONS: Readonly<Record<string, (values: readonly number[]) => number>> = {
  ReduceSum: sum,
  ReduceMean: (values) => sum(values) / values.length,
  ReduceMax: (values) => Math.max(...values),
  ReduceMin: (values) => Math.min(...values),
  ReduceL1: (values) => sum(values.map(Math.abs)),
  ReduceL2: (values) => Math.sqrt(sum(values.map((value) => value * value))),
  ReduceSumSquare: (values) => sum(values.map((value) => value * value)),
};

/** Which axes of [3, 4, 70] are reduced. */
const AXES: readonly (readonly number[])[] = [[2], [0], [1], [0, 1], [1, 2], [0, 1, 2]];

const reductions: ConformanceCase[] = Object.entries(REDUCTIONS).map(([operator, rule]) => ({
  name: operator,
  async run(runtime) {
    const shape = [3, 4, 70];
    const x = randomTensor(shape, 11);
    for (const axes of AXES) {
      for (const keepdims of [0, 1]) {
        const reduced = keepdims
          ? shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
          : shape.filter((_, axis) => !axes.includes(axis));
        const result = await evaluateOne(
          runtime,
          { x },
          (builder) => builder.add(operator, ['x', builder.integers(axes)], { keepdims }),
          { shape: reduced },
        );
        assertClose(
          result,
          reduced,
          groupsOver(numbers(x), shape, axes).map(rule),
          `${operator} over ${axes.join(', ')}`,
        );
      }
    }
  },
}));

const normalisations: ConformanceCase[] = [
  {
    name: 'Softmax and LogSoftmax over the last axis',
    async run(runtime) {
      const x = randomTensor([2, 3, 50], 12);
      const results = await evaluate(runtime, { x }, (builder) => {
        builder.output(builder.add('Softmax', ['x'], { axis: -1 }), 'float32', x.shape, 'probabilities');
        builder.output(builder.add('LogSoftmax', ['x'], { axis: -1 }), 'float32', x.shape, 'logarithms');
      });
      const expected = mapRows(numbers(x), 50, softmax);
      assertClose(found(results, 'probabilities'), x.shape, expected, 'Softmax');
      assertClose(found(results, 'logarithms'), x.shape, expected.map(Math.log), 'LogSoftmax');
    },
  },
  {
    name: 'Softmax of masked rows',
    async run(runtime) {
      const x = randomTensor([2, 4, 4], 13);
      const mask = Array.from({ length: 16 }, (_, index) => (index % 4 > Math.floor(index / 4) ? -1e9 : 0));
      const result = await evaluateOne(
        runtime,
        { x },
        (builder) => builder.add('Softmax', [builder.add('Add', ['x', builder.constant(mask, [4, 4])])], { axis: -1 }),
        { shape: x.shape },
      );
      const masked = numbers(x).map((value, index) => value + Number(mask[index % 16]));
      assertClose(result, x.shape, mapRows(masked, 4, softmax), 'Softmax');
    },
  },
  {
    name: 'SimplifiedLayerNormalization',
    async run(runtime) {
      const [x, scale] = [randomTensor([2, 5, 24], 14), randomTensor([24], 15)];
      const epsilon = 1e-5;
      const results = await evaluate(runtime, { x, scale }, (builder) => {
        const [y, inverse] = builder.addMany('SimplifiedLayerNormalization', ['x', 'scale'], 2, {
          axis: -1,
          epsilon: float(epsilon),
          stash_type: 1,
        });
        builder.output(String(y), 'float32', x.shape, 'normalised');
        builder.output(String(inverse), 'float32', [2, 5, 1], 'inverse');
      });
      const factors = mapRows(numbers(x), 24, (row) => [inverseRootMeanSquare(row, epsilon)]);
      const weights = numbers(scale);
      const expected = numbers(x).map(
        (value, index) => value * Number(factors[Math.floor(index / 24)]) * Number(weights[index % 24]),
      );
      assertClose(found(results, 'normalised'), x.shape, expected, 'the normalised rows');
      // onnxruntime-web 1.30 writes the mean of each row there on WebGPU, so the second output is of no use in graphs for all backends.
      if (runtime.backend !== 'webgpu')
        assertClose(found(results, 'inverse'), [2, 5, 1], factors, 'the inverse deviation');
    },
  },
];

export const REDUCTION_CASES: readonly ConformanceCase[] = [...reductions, ...normalisations];
