import { unaryOperator } from './elementwise.ts';

export const log = unaryOperator({
  type: 'Log',
  flops: 8,
  gradient: (builder, { x, dy }) => builder.add('Div', [dy, x]),
});
