import { describe, it } from 'vitest';
import type { AttributeInput } from '../onnx/builder.ts';
import type { DataType } from '../onnx/graph.ts';
import { expectGradients } from './testing/finite-differences.ts';

const positive = (value: number) => 1.2 + value;
const awayFromZero = (value: number) => (value < 0 ? value - 0.2 : value + 0.2);

interface UnaryCase {
  readonly type: string;
  readonly map?: (value: number) => number;
  readonly dataType?: 'float32';
  readonly attributes?: Record<string, AttributeInput>;
}

const UNARY: readonly UnaryCase[] = [
  { type: 'Neg' },
  { type: 'Abs', map: awayFromZero },
  { type: 'Sqrt', map: positive },
  { type: 'Reciprocal', map: awayFromZero },
  { type: 'Exp' },
  { type: 'Log', map: positive },
  { type: 'Sin' },
  { type: 'Cos' },
  { type: 'Sigmoid' },
  { type: 'Tanh' },
  { type: 'Relu' },
  { type: 'Erf', dataType: 'float32' },
  { type: 'Gelu', dataType: 'float32' },
  { type: 'Gelu', dataType: 'float32', attributes: { approximate: 'tanh' } },
  { type: 'Identity' },
];

describe('unary operators', () => {
  it.each(UNARY)(
    '$type $attributes has the gradient of its finite differences',
    async ({ type, map, dataType, attributes }) => {
      await expectGradients({
        ...(dataType && { dataType }),
        build: (builder, input) => builder.add(type, [input('x', ['a', 'b'], map ? { map } : {})], attributes),
      });
    },
  );
});

const SHAPES: readonly { readonly a: (string | number)[]; readonly b: (string | number)[] }[] = [
  { a: ['a', 'b'], b: ['a', 'b'] },
  { a: ['a', 'b'], b: ['b'] },
  { a: ['b'], b: ['a', 'b'] },
  { a: ['a', 1, 'c'], b: [1, 'b', 1] },
  { a: ['a', 'b', 'c'], b: ['b', 1] },
  { a: [], b: ['a'] },
  { a: ['a', 1], b: [] },
];

describe.each(['Add', 'Sub', 'Mul', 'Div'])('%s', (type) => {
  it.each(SHAPES)('sums over broadcast axes: $a with $b', async ({ a, b }) => {
    await expectGradients({
      build: (builder, input) => builder.add(type, [input('x', a), input('y', b, { map: awayFromZero })]),
    });
  });

  it('adds up both gradients of one value used twice', async () => {
    await expectGradients({
      build(builder, input) {
        const x = input('x', ['a'], { map: awayFromZero });
        return builder.add(type, [builder.add('Mul', [x, x]), x]);
      },
    });
  });
});

describe('Pow', () => {
  it.each([2, 3, 0.5, -1.5])('to the constant %d', async (exponent) => {
    await expectGradients({
      build: (builder, input, dataType: DataType) =>
        builder.add('Pow', [input('x', ['a', 'b'], { map: positive }), builder.constant([exponent], [], dataType)]),
    });
  });

  it('to a run-time exponent that is not differentiated, broadcasting x', async () => {
    await expectGradients({
      wrt: ['x'],
      build: (builder, input) => builder.add('Pow', [input('x', ['b'], { map: positive }), input('p', ['a', 'b'])]),
    });
  });
});

describe('Where', () => {
  it.each([
    { condition: ['a', 'b'], x: ['a', 'b'], y: ['a', 'b'] },
    { condition: ['b'], x: ['a', 1], y: [] },
  ])('takes each gradient where it was chosen: $condition, $x, $y', async ({ condition, x, y }) => {
    await expectGradients({
      dataType: 'float32',
      build: (builder, input) =>
        builder.add('Where', [
          input('chosen', condition, { dataType: 'bool', map: (value) => Number(value > 0) }),
          input('x', x),
          input('y', y),
        ]),
    });
  });
});

describe('Cast', () => {
  it('casts the gradient back', async () => {
    await expectGradients({
      build: (builder, input) =>
        builder.add('Cast', [builder.add('Cast', [input('x', ['a'])], { to: 11 })], { to: 11 }),
    });
  });
});
