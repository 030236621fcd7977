import { describe, it } from 'vitest';
import type { GraphBuilder } from '../onnx/builder.ts';
import { expectGradients, type InputMaker } from './testing/finite-differences.ts';

interface Movement {
  readonly name: string;
  readonly build: (builder: GraphBuilder, input: InputMaker) => string;
  readonly sizes?: { a: number; b: number; c: number; d: number }[];
}
const big = [{ a: 5, b: 6, c: 7, d: 8 }];

const MOVEMENTS: readonly Movement[] = [
  {
    name: 'Reshape with 0 and -1',
    build: (builder, input) => builder.add('Reshape', [input('x', ['a', 'b', 4]), builder.integers([0, -1, 2])]),
  },
  {
    name: 'Reshape to one axis',
    build: (builder, input) => builder.add('Reshape', [input('x', ['a', 4]), builder.integers([-1])]),
  },
  {
    name: 'Reshape to a run-time shape',
    build(builder, input) {
      const x = input('x', ['a', 'b', 4]);
      const target = builder.add('Concat', [builder.add('Shape', [x], { start: 0, end: 1 }), builder.integers([-1])], {
        axis: 0,
      });
      return builder.add('Reshape', [x, target]);
    },
  },
  {
    name: 'Reshape to a shape by Gather, Slice, Mul and Unsqueeze',
    build(builder, input) {
      const x = input('x', ['a', 'b', 4]);
      const shape = builder.add('Shape', [x]);
      const rows = builder.add('Mul', [
        builder.add('Gather', [shape, builder.constant([0], [], 'int64')]),
        builder.add('Gather', [shape, builder.constant([1], [], 'int64')]),
      ]);
      const target = builder.add(
        'Concat',
        [
          builder.add('Unsqueeze', [rows, builder.integers([0])]),
          builder.add('Slice', [shape, builder.integers([-1]), builder.integers([9])]),
        ],
        { axis: 0 },
      );
      return builder.add('Reshape', [x, target]);
    },
  },
  {
    name: 'Transpose',
    build: (builder, input) => builder.add('Transpose', [input('x', ['a', 'b', 'c'])], { perm: [2, 0, 1] }),
  },
  {
    name: 'Transpose, reversed by default',
    build: (builder, input) => builder.add('Transpose', [input('x', ['a', 'b', 'c'])]),
  },
  {
    name: 'Concat',
    build: (builder, input) => builder.add('Concat', [input('x', ['a', 2]), input('y', ['a', 3])], { axis: -1 }),
  },
  {
    name: 'Concat along symbolic axes',
    build: (builder, input) =>
      builder.add('Concat', [input('x', ['a', 2]), input('y', ['b', 2]), input('z', ['c', 2])], { axis: 0 }),
  },
  {
    name: 'Split by sizes',
    build: (builder, input) => {
      const [a, , c] = builder.addMany('Split', [input('x', ['a', 7]), builder.integers([2, 3, 2])], 3, { axis: 1 });
      return builder.add('Mul', [a as string, c as string]);
    },
  },
  {
    name: 'Split in equal parts',
    build: (builder, input) => {
      const [a, b] = builder.addMany('Split', [input('x', ['a', 6])], 2, { axis: -1, num_outputs: 2 });
      return builder.add('Mul', [a as string, b as string]);
    },
  },
  {
    name: 'Slice from the front',
    build: (builder, input) =>
      builder.add('Slice', [
        input('x', ['a', 'b']),
        builder.integers([1]),
        builder.integers([3]),
        builder.integers([1]),
      ]),
    sizes: big,
  },
  {
    name: 'Slice from the end',
    build: (builder, input) =>
      builder.add('Slice', [
        input('x', ['a', 'b']),
        builder.integers([-3, 1]),
        builder.integers([-1, 1000]),
        builder.integers([0, 1]),
      ]),
    sizes: big,
  },
  {
    name: 'Slice of fixed axes',
    build: (builder, input) =>
      builder.add('Slice', [
        input('x', ['a', 6]),
        builder.integers([-4]),
        builder.integers([4]),
        builder.integers([1]),
      ]),
  },
  {
    name: 'Gather of rows that repeat',
    build: (builder, input) =>
      builder.add('Gather', [
        input('x', [5, 'b']),
        input('rows', ['a', 'c'], { dataType: 'int64', map: (_, index) => (index * 3) % 5 }),
      ]),
  },
  {
    name: 'Gather of columns',
    build: (builder, input) =>
      builder.add(
        'Gather',
        [input('x', ['b', 5, 'c']), input('columns', ['a'], { dataType: 'int64', map: (_, index) => (index * 2) % 5 })],
        { axis: 1 },
      ),
  },
  {
    name: 'Gather of one row',
    build: (builder, input) => builder.add('Gather', [input('x', [5, 'b']), builder.constant([3], [], 'int64')]),
  },
  {
    name: 'GatherElements',
    build: (builder, input) =>
      builder.add(
        'GatherElements',
        [input('x', ['a', 5]), input('at', ['a', 2], { dataType: 'int64', map: (_, index) => (index * 3) % 5 })],
        { axis: 1 },
      ),
  },
  {
    name: 'Expand',
    build: (builder, input) => builder.add('Expand', [input('x', ['a', 1, 'c']), builder.integers([2, 1, 3, 1])]),
  },
  {
    name: 'Squeeze named axes',
    build: (builder, input) => builder.add('Squeeze', [input('x', ['a', 1, 'c', 1]), builder.integers([-1, 1])]),
  },
  {
    name: 'Squeeze all',
    build: (builder, input) => builder.add('Squeeze', [input('x', ['a', 1, 'c', 1])]),
    sizes: [{ a: 2, b: 2, c: 3, d: 2 }],
  },
  {
    name: 'Unsqueeze',
    build: (builder, input) => builder.add('Unsqueeze', [input('x', ['a', 'c']), builder.integers([-1, 0])]),
  },
];

describe('operators that move elements', () => {
  it.each(MOVEMENTS)('$name', async ({ build, sizes }) => {
    // Squaring makes the loss depend on where elements go, not only on which are used.
    const squared = (builder: GraphBuilder, input: InputMaker) => {
      const moved = build(builder, input);
      return builder.add('Mul', [moved, moved]);
    };
    await expectGradients({ build: squared, ...(sizes && { sizes }) });
  });
});
