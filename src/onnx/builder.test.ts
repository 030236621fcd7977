import { describe, expect, it } from 'vitest';
import { UsageError } from '../errors.ts';
import { encode, float, GraphBuilder } from './builder.ts';
import { findGraphProblem } from './validate.ts';

describe('GraphBuilder', () => {
  it('shares equal constants and keeps 0 and -0 apart', () => {
    const builder = new GraphBuilder('constants');
    expect(builder.constant([1, 2])).toBe(builder.constant([1, 2]));
    expect(builder.constant([1, 2])).not.toBe(builder.constant([1, 2], [2, 1]));
    expect(builder.constant([1, 2])).not.toBe(builder.integers([1, 2]));
    expect(builder.constant([0])).not.toBe(builder.constant([-0]));
  });

  it('makes a valid graph with the operator sets that it uses', () => {
    const builder = new GraphBuilder('valid');
    const x = builder.input('x', 'float32', ['rows', 4]);
    const [a, b] = builder.addMany('Split', [x], 2, { axis: 1 }) as [string, string];
    builder.output(
      builder.add('FusedMatMul', [a, b], { alpha: float(1), transB: 1 }, { domain: 'com.microsoft' }),
      'float32',
      ['rows', 'rows'],
      'y',
    );
    const graph = builder.build();
    expect(findGraphProblem(graph)).toBeUndefined();
    expect(graph.opsets).toEqual({ '': 21, 'com.microsoft': 1 });
    expect(new GraphBuilder('plain').build().opsets).toEqual({ '': 21 });
  });

  it('extends an existing graph under new names', () => {
    const builder = new GraphBuilder('first');
    builder.add('Neg', [builder.input('x', 'float32', [1])]);
    const extended = new GraphBuilder('second', builder.build());
    const y = extended.add('Neg', ['neg_0']);
    extended.output(y, 'float32', [1]);
    expect(findGraphProblem(extended.build())).toBeUndefined();
  });

  it('reads attributes as their kinds', () => {
    const builder = new GraphBuilder('attributes');
    builder.add('A', [], {
      int: 1,
      real: 0.5,
      text: 'x',
      list: [1, 2],
      wrapped: float(2),
      reals: { kind: 'floats', value: [1] },
    });
    expect(builder.build().nodes[0]?.attributes).toEqual({
      int: { kind: 'int', value: 1 },
      real: { kind: 'float', value: 0.5 },
      text: { kind: 'string', value: 'x' },
      list: { kind: 'ints', value: [1, 2] },
      wrapped: { kind: 'float', value: 2 },
      reals: { kind: 'floats', value: [1] },
    });
  });

  it('refuses unknown inputs, taken names and constants that do not fit', () => {
    const builder = new GraphBuilder('refusals');
    builder.input('x', 'float32', []);
    expect(() => builder.add('Neg', ['y'])).toThrow(/reads y, which no earlier node/);
    expect(() => builder.input('x', 'float32', [])).toThrow(/already has a value called x/);
    expect(() => builder.constant([1, 2], [3])).toThrow(/shape \[3\] has 3 elements, but 2 are given/);
  });
});

describe('encode', () => {
  it('refuses values that the type cannot hold instead of wrapping them', () => {
    for (const [value, type] of [
      [256, 'uint8'],
      [-129, 'int8'],
      [2 ** 31, 'int32'],
      [2 ** 63, 'int64'],
      [0.5, 'int64'],
      [Number.NaN, 'int32'],
      [2, 'bool'],
    ] as const)
      expect(() => encode([value], type), `${value} as ${type}`).toThrow(UsageError);
  });

  it('writes little-endian bytes', () => {
    expect([...encode([-2], 'int64')]).toEqual([254, 255, 255, 255, 255, 255, 255, 255]);
    expect([...encode([1], 'float32')]).toEqual([0, 0, 0x80, 0x3f]);
  });
});
