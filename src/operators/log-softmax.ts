import { intAttribute } from './attributes.ts';
import { singleOutput } from './gradients.ts';
import type { Operator } from './operator.ts';
import { frontAxis } from './shapes.ts';
import { softmax } from './softmax.ts';

/** Logarithm of softmax along one axis. dx = dy - exp(y) sum(dy) */
export const logSoftmax: Operator = {
  ...softmax,
  type: 'LogSoftmax',
  gradient(context) {
    const { builder, dy, y, yType } = singleOutput(context);
    const axis = frontAxis(context.node, intAttribute(context.node, 'axis', -1), yType.shape.length);
    const sum = builder.add('ReduceSum', [dy, builder.integers([axis])], { keepdims: 1 });
    return [builder.add('Sub', [dy, builder.add('Mul', [builder.add('Exp', [y]), sum])])];
  },
};
