import { unaryOperator } from './elementwise.ts';

export const exp = unaryOperator({
  type: 'Exp',
  flops: 8,
  gradient: (builder, { y, dy }) => builder.add('Mul', [dy, y]),
});
