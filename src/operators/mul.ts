import { binaryOperator } from './elementwise.ts';

export const mul = binaryOperator({
  type: 'Mul',
  flops: 1,
  fold: (a, b) => a * b,
  gradients: [(builder, { b, dy }) => builder.add('Mul', [dy, b]), (builder, { a, dy }) => builder.add('Mul', [dy, a])],
});
