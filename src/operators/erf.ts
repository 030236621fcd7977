import { unaryOperator } from './elementwise.ts';
import { scalar } from './gradients.ts';

/** dx = dy 2 / sqrt(pi) exp(-x^2) */
export const erf = unaryOperator({
  type: 'Erf',
  flops: 12,
  gradient(builder, { x, dy, dataType }) {
    const bell = builder.add('Exp', [builder.add('Neg', [builder.add('Mul', [x, x])])]);
    return builder.add('Mul', [dy, builder.add('Mul', [bell, scalar(builder, 2 / Math.sqrt(Math.PI), dataType)])]);
  },
});
