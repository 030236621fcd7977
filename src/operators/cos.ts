import { unaryOperator } from './elementwise.ts';

export const cos = unaryOperator({
  type: 'Cos',
  flops: 8,
  gradient: (builder, { x, dy }) => builder.add('Neg', [builder.add('Mul', [dy, builder.add('Sin', [x])])]),
});
