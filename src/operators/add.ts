import { binaryOperator } from './elementwise.ts';

export const add = binaryOperator({
  type: 'Add',
  flops: 1,
  fold: (a, b) => a + b,
  gradients: [(_, { dy }) => dy, (_, { dy }) => dy],
});
