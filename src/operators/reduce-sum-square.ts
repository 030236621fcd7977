import { scalar } from './gradients.ts';
import { reductionOperator } from './reduction.ts';

/** Sum of squares. dx = 2 dy x */
export const reduceSumSquare = reductionOperator({
  type: 'ReduceSumSquare',
  flops: 2,
  gradient: (builder, { x, dy, dataType }) =>
    builder.add('Mul', [x, builder.add('Mul', [dy, scalar(builder, 2, dataType)])]),
});
