import { unaryOperator } from './elementwise.ts';

export const neg = unaryOperator({
  type: 'Neg',
  flops: 1,
  fold: (x) => -x,
  gradient: (builder, { dy }) => builder.add('Neg', [dy]),
});
