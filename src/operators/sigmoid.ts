import { unaryOperator } from './elementwise.ts';

/** dx = dy (y - y^2) */
export const sigmoid = unaryOperator({
  type: 'Sigmoid',
  flops: 10,
  gradient: (builder, { y, dy }) => builder.add('Mul', [dy, builder.add('Sub', [y, builder.add('Mul', [y, y])])]),
});
