import { binaryOperator } from './elementwise.ts';

export const sub = binaryOperator({
  type: 'Sub',
  flops: 1,
  fold: (a, b) => a - b,
  gradients: [(_, { dy }) => dy, (builder, { dy }) => builder.add('Neg', [dy])],
});
