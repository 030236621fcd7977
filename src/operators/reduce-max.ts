import { castTo } from './gradients.ts';
import { reductionOperator } from './reduction.ts';

/** The gradient goes to the largest elements, in equal parts where several are equal. */
export const reduceMax = reductionOperator({
  type: 'ReduceMax',
  flops: 1,
  gradient(builder, { x, y, dy, axes, dataType }) {
    if (axes.length === 0) return dy;
    const largest = castTo(builder, builder.add('Equal', [x, y()]), dataType);
    const ties = builder.add('ReduceSum', [largest, builder.integers(axes)], { keepdims: 1 });
    return builder.add('Mul', [largest, builder.add('Div', [dy, ties])]);
  },
});
