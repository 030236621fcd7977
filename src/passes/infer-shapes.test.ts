import { describe, expect, it } from 'vitest';
import { MismatchError, UnsupportedError, UsageError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { inferShapes, knownSizes } from './infer-shapes.ts';
import { multiplyAccumulates } from './multiply-accumulates.ts';
import { testBlock } from './testing/block.ts';

describe('inferShapes', () => {
  it('binds symbols and follows shapes through shape arithmetic', () => {
    const builder = new GraphBuilder('shapes');
    const x = builder.input('x', 'float32', ['batch', 'tokens', 8]);
    const target = builder.add(
      'Concat',
      [builder.add('Shape', [x], { start: 0, end: 2 }), builder.integers([-1, 4])],
      { axis: 0 },
      { name: 'target' },
    );
    builder.output(builder.add('Reshape', [x, target], {}, { name: 'y' }), 'float32', ['batch', 'tokens', 2, 4]);
    const types = inferShapes(builder.build(), { batch: 3, tokens: 5 });
    expect(types.get('target')).toEqual({ dataType: 'int64', shape: [4], constant: [3, 5, -1, 4] });
    expect(types.get('y')).toEqual({ dataType: 'float32', shape: [3, 5, 2, 4] });
  });

  it('names an unbound dimension, the input and the remedy', () => {
    const builder = new GraphBuilder('unbound');
    builder.input('x', 'float32', ['tokens']);
    expect(() => inferShapes(builder.build(), {})).toThrow(UsageError);
    expect(() => inferShapes(builder.build(), {})).toThrow(
      'The symbolic dimension tokens of the input x has no size; bind it, as in { tokens: 3 }.',
    );
  });

  it.each<[string, (builder: GraphBuilder, a: string, b: string) => string, RegExp]>([
    [
      'Gemm',
      (builder, a, b) => builder.add('Gemm', [a, b]),
      /gemm_0 \(Gemm\): A \[2, 3\] \(transA 0\) contracts 3 and B \[2, 4\] \(transB 0\) contracts 2/,
    ],
    ['MatMul', (builder, a, b) => builder.add('MatMul', [a, b]), /contracts 3 and \[2, 4\] contracts 2/],
    ['Add', (builder, a, b) => builder.add('Add', [a, b]), /do not broadcast together on axis 1 \(3 against 4\)/],
    ['Concat', (builder, a, b) => builder.add('Concat', [a, b], { axis: 0 }), /may differ only on axis 0/],
    [
      'Reshape',
      (builder, a) => builder.add('Reshape', [a, builder.integers([4, -1])]),
      /\[2, 3\] \(6 elements\) does not fit the target \[4, -1\]/,
    ],
    [
      'Split',
      (builder, a) => builder.addMany('Split', [a, builder.integers([1, 3])], 2, { axis: 0 })[0] as string,
      /parts \[1, 3\] for 2 outputs/,
    ],
    [
      'Transpose',
      (builder, a) => builder.add('Transpose', [a], { perm: [0, 0] }),
      /perm \[0, 0\] is not a permutation/,
    ],
    ['Softmax', (builder, a) => builder.add('Softmax', [a], { axis: 2 }), /axis 2 is outside a tensor of rank 2/],
    ['Squeeze', (builder, a) => builder.add('Squeeze', [a, builder.integers([1])]), /axis 1 of \[2, 3\] has size 3/],
  ])('%s refuses shapes that do not fit', (_operator, build, message) => {
    const builder = new GraphBuilder('misfit');
    build(builder, builder.input('a', 'float32', [2, 3]), builder.input('b', 'float32', [2, 4]));
    expect(() => inferShapes(builder.build(), {})).toThrow(MismatchError);
    expect(() => inferShapes(builder.build(), {})).toThrow(message);
  });

  it('refuses element types that differ', () => {
    const builder = new GraphBuilder('types');
    builder.add('Mul', [builder.input('a', 'float32', [2]), builder.input('b', 'float64', [2])]);
    expect(() => inferShapes(builder.build(), {})).toThrow(
      /inputs are float32 and float64; they must agree. Insert a Cast./,
    );
  });

  it('refuses a shape that depends on data', () => {
    const builder = new GraphBuilder('data');
    builder.add('Reshape', [builder.input('a', 'float32', [2]), builder.input('target', 'int64', [1])]);
    expect(() => inferShapes(builder.build(), {})).toThrow(UnsupportedError);
    expect(() => inferShapes(builder.build(), {})).toThrow(/target shape \(input 1, target\) depends on data/);
  });
});

describe('knownSizes', () => {
  it('keeps sizes that no symbol decides, also where symbols depend on each other', () => {
    const builder = new GraphBuilder('known');
    const query = builder.input('query', 'float32', ['tokens', 'queryChannels']);
    const key = builder.input('key', 'float32', ['tokens', 'keyChannels']);
    const split = builder.add('Reshape', [query, builder.integers([0, -1, 2, 4])], {}, { name: 'split' });
    builder.add('Mul', [split, builder.add('Reshape', [key, builder.integers([0, -1, 1, 4])])]);
    const graph = builder.build();
    const bindings = { tokens: 5, queryChannels: 24, keyChannels: 12 };
    expect(knownSizes(graph, bindings, inferShapes(graph, bindings)).get('split')).toEqual([
      undefined,
      undefined,
      2,
      4,
    ]);
  });
});

describe('multiply-accumulates', () => {
  it('are those of the projections, and of the products of queries with keys and of probabilities with values', () => {
    const sizes = { hiddenSize: 64, headDimension: 16, repeat: 2, keyValueHeads: 2, neurons: 96 };
    const { graph } = testBlock(sizes);
    const [batch, tokens] = [2, 32];
    const projections = batch * tokens * sizes.hiddenSize * (64 + 32 + 32 + 64 + 3 * sizes.neurons);
    const attention = 2 * batch * 4 * tokens * tokens * 16;
    expect(multiplyAccumulates(graph, { batch, tokens })).toBe(projections + attention);
  });
});
