import { unaryOperator } from './elementwise.ts';

/** dx = -dy y^2 */
export const reciprocal = unaryOperator({
  type: 'Reciprocal',
  flops: 1,
  gradient: (builder, { y, dy }) => builder.add('Neg', [builder.add('Mul', [dy, builder.add('Mul', [y, y])])]),
});
