import { float, GraphBuilder } from '../../onnx/builder.ts';
import type { DataType, Graph } from '../../onnx/graph.ts';
import type { Bindings } from '../infer-shapes.ts';

/** A transformer block in many guises, small enough for finite differences. Weight names say nothing that discovery could read. */
export interface TestBlock {
  readonly hiddenSize: number;
  readonly headDimension: number;
  /** Query heads per key/value head. */
  readonly repeat: number;
  readonly keyValueHeads: number;
  readonly neurons: number;
  readonly dataType?: DataType;
  /** One weight for q, k and v, split after the product. */
  readonly fusedQkv?: boolean;
  /** One weight for gate and up, split after the product. */
  readonly fusedGateUp?: boolean;
  readonly bias?: boolean;
  /** RMS normalisation of q and k over the head, with weights [headDimension]. */
  readonly headNorm?: boolean;
  /** Sigmoid-gated or a plain GELU-like activation without a gate. */
  readonly gated?: boolean;
}

export interface BuiltBlock {
  readonly graph: Graph;
  /** Graph inputs that are weights. */
  readonly weights: readonly string[];
  readonly bindings: Bindings;
}

/** Emits the block; weights are inputs named w0, w1, … in the order of their use. */
export function testBlock(options: TestBlock): BuiltBlock {
  const { hiddenSize, headDimension, repeat, keyValueHeads, neurons, dataType = 'float32', gated = true } = options;
  const builder = new GraphBuilder('test-block');
  const weights: string[] = [];
  const weight = (...shape: number[]) => {
    const name = builder.input(`w${weights.length}`, dataType, shape);
    weights.push(name);
    return name;
  };
  const number = (value: number) => builder.constant([value], [], dataType);
  const linear = (x: string, out: number, inner: number) =>
    builder.add('Gemm', options.bias ? [x, weight(out, inner), weight(out)] : [x, weight(out, inner)], { transB: 1 });
  const norm = (x: string, size: number) =>
    builder.add('SimplifiedLayerNormalization', [x, weight(size)], { axis: -1, epsilon: float(1e-3) });
  const headNorm = (x: string) => (options.headNorm ? norm(x, headDimension) : x);
  const split = (x: string, sizes: readonly number[]) =>
    builder.addMany('Split', [x, builder.integers(sizes)], sizes.length, { axis: -1 });

  const hidden = builder.input('hidden', dataType, ['batch', 'tokens', hiddenSize]);
  const cosine = builder.input('cosine', dataType, ['tokens', headDimension / 2]);
  const sine = builder.input('sine', dataType, ['tokens', headDimension / 2]);
  const mask = builder.input('mask', dataType, ['tokens', 'tokens']);
  const leading = builder.add('Shape', [hidden], { start: 0, end: 2 });
  const heads = (x: string, tail: readonly number[]) =>
    builder.add('Reshape', [x, builder.add('Concat', [leading, builder.integers(tail)], { axis: 0 })]);
  const rotary = (x: string) => {
    const [first, second] = builder.addMany('Split', [x], 2, { axis: -1, num_outputs: 2 }) as [string, string];
    const left = builder.add('Sub', [builder.add('Mul', [first, cosine]), builder.add('Mul', [second, sine])]);
    return builder.add(
      'Concat',
      [left, builder.add('Add', [builder.add('Mul', [second, cosine]), builder.add('Mul', [first, sine])])],
      { axis: -1 },
    );
  };

  const residual = builder.add('Reshape', [hidden, builder.integers([-1, hiddenSize])]);
  const attentionInput = norm(residual, hiddenSize);
  const keyChannels = keyValueHeads * headDimension;
  const queryChannels = keyChannels * repeat;
  const [query, key, value] = (
    options.fusedQkv
      ? split(linear(attentionInput, queryChannels + 2 * keyChannels, hiddenSize), [
          queryChannels,
          keyChannels,
          keyChannels,
        ])
      : [queryChannels, keyChannels, keyChannels].map((channels) => linear(attentionInput, channels, hiddenSize))
  ) as [string, string, string];
  const q = rotary(
    builder.add('Transpose', [headNorm(heads(query, [-1, repeat, headDimension]))], { perm: [0, 2, 3, 1, 4] }),
  );
  const stacked = builder.add('Reshape', [
    builder.add('Mul', [q, number(headDimension ** -0.5)]),
    builder.integers([0, 0, -1, headDimension]),
  ]);
  const k = rotary(builder.add('Transpose', [headNorm(heads(key, [-1, headDimension]))], { perm: [0, 2, 1, 3] }));
  const v = builder.add('Transpose', [heads(value, [-1, headDimension])], { perm: [0, 2, 1, 3] });
  const products = builder.add('MatMul', [stacked, builder.add('Transpose', [k], { perm: [0, 1, 3, 2] })]);
  const scores = builder.add('Add', [
    builder.add('Reshape', [products, builder.integers([0, 0, repeat, 0, -1])]),
    mask,
  ]);
  const probabilities = builder.add('Reshape', [
    builder.add('Softmax', [scores], { axis: -1 }),
    builder.integers([0, 0, -1, 0]),
  ]);
  const mixed = builder.add('Reshape', [
    builder.add('MatMul', [probabilities, v]),
    builder.integers([0, 0, repeat, -1, headDimension]),
  ]);
  const context = builder.add('Reshape', [
    builder.add('Transpose', [mixed], { perm: [0, 3, 1, 2, 4] }),
    builder.integers([-1, queryChannels]),
  ]);
  const middle = builder.add('Add', [residual, linear(context, hiddenSize, queryChannels)]);

  const mlpInput = norm(middle, hiddenSize);
  let activation: string;
  if (gated) {
    const [gate, up] = (
      options.fusedGateUp
        ? split(linear(mlpInput, 2 * neurons, hiddenSize), [neurons, neurons])
        : [linear(mlpInput, neurons, hiddenSize), linear(mlpInput, neurons, hiddenSize)]
    ) as [string, string];
    activation = builder.add('Mul', [builder.add('Mul', [gate, builder.add('Sigmoid', [gate])]), up]);
  } else {
    const inner = linear(mlpInput, neurons, hiddenSize);
    activation = builder.add('Mul', [inner, builder.add('Sigmoid', [builder.add('Mul', [inner, number(1.702)])])]);
  }
  const output = builder.add('Add', [middle, linear(activation, hiddenSize, neurons)]);
  builder.output(
    builder.add('Reshape', [output, builder.add('Shape', [hidden])]),
    dataType,
    ['batch', 'tokens', hiddenSize],
    'output',
  );
  return { graph: builder.build(), weights, bindings: { batch: 11, tokens: 13 } };
}
