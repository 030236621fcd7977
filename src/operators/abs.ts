import { unaryOperator } from './elementwise.ts';

export const abs = unaryOperator({
  type: 'Abs',
  flops: 1,
  fold: Math.abs,
  gradient: (builder, { x, dy }) => builder.add('Mul', [dy, builder.add('Sign', [x])]),
});
