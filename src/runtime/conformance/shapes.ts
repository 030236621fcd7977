import { GraphBuilder } from '../../onnx/builder.ts';
import {
  assertClose,
  assertEqual,
  type ConformanceCase,
  evaluate,
  evaluateOne,
  floats,
  found,
  integers,
  numbers,
  randomTensor,
} from './case.ts';
import { coordinates, position } from './reference.ts';

export const SHAPE_CASES: readonly ConformanceCase[] = [
  {
    name: 'Transpose',
    async run(runtime) {
      const shape = [2, 3, 4, 5];
      const x = randomTensor(shape, 16);
      for (const perm of [
        [0, 2, 1, 3],
        [0, 1, 3, 2],
        [3, 2, 1, 0],
      ]) {
        const moved = perm.map((axis) => Number(shape[axis]));
        const result = await evaluateOne(runtime, { x }, (builder) => builder.add('Transpose', ['x'], { perm }), {
          shape: moved,
        });
        const expected = coordinates(moved).map((coordinate) =>
          Number(
            x.data[
              position(
                shape.map((_, axis) => Number(coordinate[perm.indexOf(axis)])),
                shape,
              )
            ],
          ),
        );
        assertClose(result, moved, expected, `Transpose by ${perm.join(', ')}`);
      }
    },
  },
  {
    name: 'Split into unequal parts and Concat in another order',
    async run(runtime) {
      const x = randomTensor([2, 7, 3], 17);
      const result = await evaluateOne(
        runtime,
        { x },
        (builder) => {
          const [first, second, third] = builder.addMany('Split', ['x', builder.integers([1, 4, 2])], 3, { axis: 1 });
          return builder.add('Concat', [String(third), String(first), String(second)], { axis: 1 });
        },
        { shape: [2, 7, 3] },
      );
      const order = [5, 6, 0, 1, 2, 3, 4];
      const expected = coordinates([2, 7, 3]).map(([batch, row, column]) =>
        Number(x.data[position([Number(batch), Number(order[Number(row)]), Number(column)], [2, 7, 3])]),
      );
      assertClose(result, [2, 7, 3], expected, 'the reordered rows');
    },
  },
  {
    name: 'Slice with negative ends and steps',
    async run(runtime) {
      const x = randomTensor([5, 8], 18);
      const result = await evaluateOne(
        runtime,
        { x },
        (builder) =>
          builder.add('Slice', [
            'x',
            builder.integers([1, -1]),
            builder.integers([-1, -9]),
            builder.integers([0, 1]),
            builder.integers([1, -2]),
          ]),
        { shape: [3, 4] },
      );
      assertClose(
        result,
        [3, 4],
        [1, 2, 3].flatMap((row) => [7, 5, 3, 1].map((column) => Number(x.data[row * 8 + column]))),
        'the slice',
      );
    },
  },
  {
    name: 'Gather rows by int64 indices, and GatherElements',
    async run(runtime) {
      const table = randomTensor([6, 4], 19);
      const rows = integers([2, 3], [5, 0, 0, 3, 1, 5]);
      const columns = integers([6, 1], [3, 0, 1, 2, 2, 0]);
      const results = await evaluate(runtime, { table, rows, columns }, (builder) => {
        builder.output(
          builder.add('Gather', ['table', 'rows'], { axis: 0 }),
          'float32',
          [2, 3, 4],
          'rows of the table',
        );
        builder.output(builder.add('GatherElements', ['table', 'columns'], { axis: 1 }), 'float32', [6, 1], 'picked');
      });
      const expected = numbers(rows).flatMap((row) =>
        [0, 1, 2, 3].map((column) => Number(table.data[row * 4 + column])),
      );
      assertClose(found(results, 'rows of the table'), [2, 3, 4], expected, 'Gather');
      assertClose(
        found(results, 'picked'),
        [6, 1],
        numbers(columns).map((column, row) => Number(table.data[row * 4 + column])),
        'GatherElements',
      );
    },
  },
  {
    name: 'Reshape to a shape computed at run time, on one session at two sizes',
    async run(runtime) {
      const builder = new GraphBuilder('heads');
      builder.input('x', 'float32', ['batch', 'tokens', 'hidden']);
      const sizes = builder.add('Shape', ['x'], { start: 0, end: 2 });
      const heads = builder.add('Reshape', [
        'x',
        builder.add('Concat', [sizes, builder.integers([-1, 2])], { axis: 0 }),
      ]);
      const flat = builder.add('Reshape', [
        builder.add('Transpose', [heads], { perm: [0, 2, 1, 3] }),
        builder.integers([-1, 2]),
      ]);
      builder.output(flat, 'float32', ['rows', 2], 'rows');
      using session = await runtime.createSession(builder.build());
      for (const [batch, tokens, groups] of [
        [1, 3, 2],
        [2, 5, 3],
      ] as const) {
        const shape = [batch, tokens, groups * 2];
        const x = randomTensor(shape, 20);
        using input = runtime.upload(x);
        const outputs = await session.run({ x: input });
        using rows = found(outputs, 'rows');
        const expected = coordinates([batch, groups, tokens, 2]).map(([b, g, t, d]) =>
          Number(x.data[position([Number(b), Number(t), Number(g) * 2 + Number(d)], shape)]),
        );
        assertClose(await runtime.read(rows), [batch * groups * tokens, 2], expected, 'the rows');
      }
    },
  },
  {
    name: 'Expand, Unsqueeze, Squeeze and Identity',
    async run(runtime) {
      const x = randomTensor([3, 2], 21);
      const result = await evaluateOne(
        runtime,
        { x },
        (builder) => {
          const wide = builder.add('Expand', [
            builder.add('Unsqueeze', ['x', builder.integers([1])]),
            builder.integers([3, 4, 2]),
          ]);
          return builder.add('Identity', [
            builder.add('Squeeze', [builder.add('Unsqueeze', [wide, builder.integers([0])]), builder.integers([0])]),
          ]);
        },
        { shape: [3, 4, 2] },
      );
      assertClose(
        result,
        [3, 4, 2],
        coordinates([3, 4, 2]).map(([row, , column]) => Number(x.data[Number(row) * 2 + Number(column)])),
        'the expanded tensor',
      );
    },
  },
  {
    name: 'Shapes and integers may be outputs',
    async run(runtime) {
      const results = await evaluate(runtime, { x: randomTensor([2, 9], 22) }, (builder) => {
        builder.output(builder.add('Shape', ['x']), 'int64', [2], 'sizes');
      });
      assertEqual(numbers(found(results, 'sizes')), [2, 9], 'The sizes');
    },
  },
  {
    name: 'Scalars and empty tensors',
    async run(runtime) {
      const results = await evaluate(
        runtime,
        { factor: floats([], [3]), past: floats([0, 2], []), now: floats([2, 2], [1, 2, 3, 4]) },
        (builder) => {
          builder.output(builder.add('Mul', ['now', 'factor']), 'float32', [2, 2], 'scaled');
          builder.output(builder.add('Concat', ['past', 'now'], { axis: 0 }), 'float32', [2, 2], 'joined');
          builder.output(builder.add('ReduceSum', ['now'], { keepdims: 0 }), 'float32', [], 'total');
        },
      );
      assertClose(found(results, 'scaled'), [2, 2], [3, 6, 9, 12], 'the scaled tensor');
      assertClose(found(results, 'joined'), [2, 2], [1, 2, 3, 4], 'the joined tensor');
      assertClose(found(results, 'total'), [], [10], 'the total');
    },
  },
];
