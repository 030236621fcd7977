import { unaryOperator } from './elementwise.ts';
import { scalar } from './gradients.ts';

/** dx = dy / (2 y) */
export const sqrt = unaryOperator({
  type: 'Sqrt',
  flops: 2,
  gradient: (builder, { y, dy, dataType }) =>
    builder.add('Div', [builder.add('Mul', [dy, scalar(builder, 0.5, dataType)]), y]),
});
