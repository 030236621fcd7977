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

const UNARY: Readonly<Record<string, (value: number) => number>> = {
  Neg: (x) => -x,
  Abs: Math.abs,
  Exp: Math.exp,
  Log: Math.log,
  Sqrt: Math.sqrt,
  Reciprocal: (x) => 1 / x,
  Sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  Tanh: Math.tanh,
};

const unary: ConformanceCase[] = Object.entries(UNARY).map(([operator, rule]) => ({
  name: operator,
  async run(runtime) {
    const positive = operator === 'Log' || operator === 'Sqrt' || operator === 'Reciprocal';
    const values = numbers(randomTensor([3, 11], 6)).map((value) => (positive ? Math.abs(value) + 0.25 : value));
    const x = floats([3, 11], values);
    const result = await evaluateOne(runtime, { x }, (builder) => builder.add(operator, ['x']), { shape: [3, 11] });
    assertClose(result, [3, 11], numbers(x).map(rule), operator);
  },
}));

const BINARY: Readonly<Record<string, (a: number, b: number) => number>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
  Max: Math.max,
  Min: Math.min,
};

/** Second operand's shapes against a first of [2, 3, 4]. */
const BROADCASTS: readonly (readonly number[])[] = [[2, 3, 4], [4], [3, 1], [2, 1, 4], []];

const binary: ConformanceCase[] = Object.entries(BINARY).map(([operator, rule]) => ({
  name: `${operator} with broadcasting`,
  async run(runtime) {
    const shape = [2, 3, 4];
    const a = randomTensor(shape, 7);
    for (const other of BROADCASTS) {
      const b = floats(
        other,
        numbers(randomTensor(other, 8)).map((value) => value + 2),
      );
      const result = await evaluateOne(runtime, { a, b }, (builder) => builder.add(operator, ['a', 'b']), { shape });
      const expected = coordinates(shape).map((coordinate) => {
        const aligned = coordinate
          .slice(shape.length - other.length)
          .map((index, axis) => (other[axis] === 1 ? 0 : index));
        return rule(Number(a.data[position(coordinate, shape)]), Number(b.data[position(aligned, other)]));
      });
      assertClose(result, shape, expected, `${operator} with [${other.join(', ')}]`);
    }
  },
}));

const others: ConformanceCase[] = [
  {
    name: 'Pow with a constant exponent',
    async run(runtime) {
      const x = floats([5], [0.5, 1, 1.5, 2, 3]);
      const result = await evaluateOne(runtime, { x }, (builder) => builder.add('Pow', ['x', builder.constant([2])]), {
        shape: [5],
      });
      assertClose(result, [5], [0.25, 1, 2.25, 4, 9], 'the power');
    },
  },
  {
    name: 'Comparison, Where and Cast',
    async run(runtime) {
      const [a, b] = [randomTensor([2, 6], 9), randomTensor([6], 10)];
      const results = await evaluate(runtime, { a, b }, (builder) => {
        const larger = builder.add('Greater', ['a', 'b']);
        builder.output(builder.add('Where', [larger, 'a', 'b']), 'float32', [2, 6], 'largest');
        builder.output(builder.add('Cast', [larger], { to: 1 }), 'float32', [2, 6], 'indicator');
        builder.output(
          builder.add('Cast', [builder.add('Mul', ['a', builder.constant([10])])], { to: 6 }),
          'int32',
          [2, 6],
          'truncated',
        );
      });
      const pairs = numbers(a).map((value, index) => [value, Number(b.data[index % 6])] as const);
      assertClose(
        found(results, 'largest'),
        [2, 6],
        pairs.map(([x, y]) => Math.max(x, y)),
        'Where',
      );
      assertClose(
        found(results, 'indicator'),
        [2, 6],
        pairs.map(([x, y]) => (x > y ? 1 : 0)),
        'Cast of a bool',
      );
      assertClose(
        found(results, 'truncated'),
        [2, 6],
        pairs.map(([x]) => Math.trunc(x * 10)),
        'Cast to int32',
      );
    },
  },
  {
    name: 'int64 arithmetic keeps 64 bits',
    async run(runtime) {
      const large = { dataType: 'int64', shape: [3], data: BigInt64Array.of(2n ** 40n, -5n, 7n) } as const;
      const results = await evaluate(runtime, { large, small: integers([3], [1, 2, 3]) }, (builder) => {
        builder.output(builder.add('Concat', ['large', 'small'], { axis: 0 }), 'int64', [6], 'joined');
      });
      assertEqual(found(results, 'joined').data.toString(), '1099511627776,-5,7,1,2,3', 'The joined integers');
    },
  },
];

export const ELEMENTWISE_CASES: readonly ConformanceCase[] = [...unary, ...binary, ...others];
