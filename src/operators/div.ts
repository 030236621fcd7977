import { binaryOperator } from './elementwise.ts';
import type { Operator } from './operator.ts';
import { isFloating } from './shapes.ts';

const real = binaryOperator({
  type: 'Div',
  flops: 1,
  gradients: [
    (builder, { b, dy }) => builder.add('Div', [dy, b]),
    (builder, { b, y, dy }) => builder.add('Neg', [builder.add('Mul', [dy, builder.add('Div', [y, b])])]),
  ],
  fold: (a, b) => a / b,
});
const whole = binaryOperator({ type: 'Div', flops: 1, fold: (a, b) => Math.trunc(a / b) });

/** Division; of integers it truncates towards zero. */
export const div: Operator = {
  ...real,
  infer: (node, inputs) => (inputs[0] && !isFloating(inputs[0].dataType) ? whole : real).infer(node, inputs),
};
