import { unaryOperator } from './elementwise.ts';
import { scalar } from './gradients.ts';

/** dx = dy (1 - y^2) */
export const tanh = unaryOperator({
  type: 'Tanh',
  flops: 10,
  gradient: (builder, { y, dy, dataType }) =>
    builder.add('Mul', [dy, builder.add('Sub', [scalar(builder, 1, dataType), builder.add('Mul', [y, y])])]),
});
