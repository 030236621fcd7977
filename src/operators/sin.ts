import { unaryOperator } from './elementwise.ts';

export const sin = unaryOperator({
  type: 'Sin',
  flops: 8,
  gradient: (builder, { x, dy }) => builder.add('Mul', [dy, builder.add('Cos', [x])]),
});
