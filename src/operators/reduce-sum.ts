import { reductionOperator, stretch } from './reduction.ts';

export const reduceSum = reductionOperator({
  type: 'ReduceSum',
  flops: 1,
  fold: (elements) => elements.reduce((sum, element) => sum + element, 0),
  gradient: (builder, values) => stretch(builder, values.dy, values),
});
