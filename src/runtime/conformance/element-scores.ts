import { GraphBuilder } from '../../onnx/builder.ts';
import { type ElementScoreOptions, ElementScorer, splitTotals } from '../kernels/run-element-scores.ts';
import type { HostTensor } from '../runtime.ts';
import type { WebGpuRuntime } from '../webgpu-runtime.ts';
import { assertClose, assertEqual, assertRejects, floats, found, numbers, randomTensor } from './case.ts';
import type { WebGpuCase } from './webgpu.ts';

const SIZES = [
  { windows: 3, tokens: 5, inputs: 7, outputs: 10 },
  { windows: 2, tokens: 37, inputs: 72, outputs: 40 },
  { windows: 1, tokens: 16, inputs: 33, outputs: 65 },
];

type Sizes = ElementScoreOptions['sizes'];

function layer({ windows, tokens, inputs, outputs }: Sizes, seed: number) {
  return {
    input: randomTensor([windows * tokens, inputs], seed),
    outputGradient: randomTensor([windows * tokens, outputs], seed + 1),
    weight: randomTensor([outputs, inputs], 72),
  };
}

/** m_j = W * (dY_j^T X_j) per window, [outputs, inputs], by ONNX Runtime: Gemm and Mul. */
async function weightedGradients(
  runtime: WebGpuRuntime,
  { windows, tokens, inputs, outputs }: Sizes,
  tensors: ReturnType<typeof layer>,
): Promise<number[][]> {
  const builder = new GraphBuilder('weighted gradient');
  const [x, dy, weight] = [
    builder.input('x', 'float32', [tokens, inputs]),
    builder.input('dy', 'float32', [tokens, outputs]),
    builder.input('w', 'float32', [outputs, inputs]),
  ];
  builder.output(
    builder.add('Mul', [weight, builder.add('Gemm', [dy, x], { transA: 1 })]),
    'float32',
    [outputs, inputs],
    'm',
  );
  using session = await runtime.createSession(builder.build());
  using w = runtime.upload(tensors.weight);
  const part = (tensor: HostTensor, window: number, width: number) =>
    floats([tokens, width], numbers(tensor).slice(window * tokens * width, (window + 1) * tokens * width));
  const results: number[][] = [];
  for (let window = 0; window < windows; window++) {
    using inputPart = runtime.upload(part(tensors.input, window, inputs));
    using gradientPart = runtime.upload(part(tensors.outputGradient, window, outputs));
    using m = found(await session.run({ x: inputPart, dy: gradientPart, w }), 'm');
    results.push(numbers(await runtime.read(m)));
  }
  return results;
}

/** Sums a matrix [outputs, inputs] over the axis that is not `axis`. */
function perChannel(values: readonly number[], { inputs, outputs }: Sizes, axis: 0 | 1): number[] {
  const sums = new Array<number>(axis === 0 ? outputs : inputs).fill(0);
  values.forEach((value, index) => {
    const channel = axis === 0 ? Math.floor(index / inputs) : index % inputs;
    sums[channel] = Number(sums[channel]) + value;
  });
  return sums;
}

const addUp = (matrices: readonly (readonly number[])[], rule: (value: number) => number): number[] =>
  (matrices[0] ?? []).map((_, index) => matrices.reduce((sum, matrix) => sum + rule(Number(matrix[index])), 0));

async function score(
  runtime: WebGpuRuntime,
  scorer: ElementScorer,
  options: ElementScoreOptions,
  tensors: ReturnType<typeof layer>,
  sums: { first?: HostTensor; second?: HostTensor } = {},
) {
  const uploaded = Object.fromEntries(
    Object.entries({ ...tensors, ...sums }).map(([name, tensor]) => [name, runtime.upload(tensor)]),
  );
  const { input, outputGradient, weight, first, second } = uploaded;
  if (!input || !outputGradient || !weight) throw new Error('A tensor is missing.');
  try {
    using totals = await scorer.score(options, {
      input,
      outputGradient,
      weight,
      ...(first && { first }),
      ...(second && { second }),
    });
    const host = (await runtime.read(totals)).data as Float32Array;
    return {
      totals: host,
      first: first && (await runtime.read(first)),
      second: second && (await runtime.read(second)),
    };
  } finally {
    for (const tensor of Object.values(uploaded)) tensor.dispose();
  }
}

const close = (actual: Float32Array | undefined, expected: readonly number[], what: string) =>
  assertClose(
    { dataType: 'float32', shape: [expected.length], data: actual ?? new Float32Array() },
    [expected.length],
    expected,
    what,
    2e-5,
  );

/** The fused kernel against the same sums by ONNX Runtime's operators. */
export const ELEMENT_SCORE_CASES: readonly WebGpuCase[] = [
  ...SIZES.flatMap((sizes) =>
    ([0, 1] as const).map((axis) => ({
      name: `Element scores of ${sizes.windows} windows of ${sizes.tokens}, ${sizes.outputs}x${sizes.inputs}, axis ${axis}`,
      async run(runtime: WebGpuRuntime) {
        const scorer = new ElementScorer(runtime);
        const tensors = layer(sizes, 70);
        const products = await weightedGradients(runtime, sizes, tensors);
        const [sum, squares] = [addUp(products, (m) => m), addUp(products, (m) => m * m)];
        const n = sizes.windows;

        const reduced = splitTotals(
          { sizes, axis, keep: 'reductions' },
          (await score(runtime, scorer, { sizes, axis, keep: 'reductions' }, tensors)).totals,
        );
        products.forEach((matrix, window) => {
          close(
            reduced.absolute[window],
            perChannel(matrix.map(Math.abs), sizes, axis),
            `the magnitudes of window ${window}`,
          );
        });
        close(
          reduced.elementFirst,
          perChannel(
            sum.map((a) => Math.abs(a / n)),
            sizes,
            axis,
          ),
          'elementFirst',
        );
        close(
          reduced.elementSecond,
          perChannel(
            squares.map((s) => s / n),
            sizes,
            axis,
          ),
          'elementSecond',
        );
        close(
          reduced.elementMixed,
          perChannel(
            sum.map((a, index) => Math.abs(a / n - Number(squares[index]) / (2 * n))),
            sizes,
            axis,
          ),
          'elementMixed',
        );

        const before = floats(
          [sizes.outputs, sizes.inputs],
          sum.map((_, index) => index % 3),
        );
        const added = await score(runtime, scorer, { sizes, axis, keep: 'sums' }, tensors, {
          first: before,
          second: before,
        });
        close(
          added.first?.data as Float32Array,
          sum.map((a, index) => a + (index % 3)),
          'the sums',
        );
        close(
          added.second?.data as Float32Array,
          squares.map((s, index) => s + (index % 3)),
          'the sums of squares',
        );
        assertEqual(
          [...added.totals],
          reduced.absolute.flatMap((row) => [...row]),
          'The magnitudes of both variants',
        );
      },
    })),
  ),
  {
    name: 'Element scores are the same bits twice, and refuse wrong shapes',
    async run(runtime) {
      const scorer = new ElementScorer(runtime);
      const sizes = { windows: 2, tokens: 19, inputs: 48, outputs: 36 };
      const tensors = layer(sizes, 74);
      const options = { sizes, axis: 1, keep: 'reductions' } as const;
      const [once, twice] = [
        await score(runtime, scorer, options, tensors),
        await score(runtime, scorer, options, tensors),
      ];
      assertEqual(
        [...new Uint32Array(once.totals.buffer)],
        [...new Uint32Array(twice.totals.buffer)],
        'The second run',
      );
      await assertRejects(
        () => score(runtime, scorer, { ...options, keep: 'sums' }, tensors),
        'mismatch',
        'Sums without their tensors',
      );
      await assertRejects(
        () => score(runtime, scorer, options, { ...tensors, weight: randomTensor([48, 36], 75) }),
        'mismatch',
        'A transposed weight',
      );
    },
  },
];
