import { reductionOperator } from './reduction.ts';

/** Sum of absolute values. dx = dy sign(x) */
export const reduceL1 = reductionOperator({
  type: 'ReduceL1',
  flops: 2,
  gradient: (builder, { x, dy }) => builder.add('Mul', [builder.add('Sign', [x]), dy]),
});
