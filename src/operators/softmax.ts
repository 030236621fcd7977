import { intAttribute, nameOf } from './attributes.ts';
import { axesOf, axisAt } from './couplings.ts';
import { singleOutput } from './gradients.ts';
import type { Operator } from './operator.ts';
import { elementCount, frontAxis, inputType, typed } from './shapes.ts';

/** Softmax along one axis. dx = y (dy - sum(dy y)) */
export const softmax: Operator = {
  type: 'Softmax',
  domain: '',
  infer(node, inputs) {
    const x = inputType(node, inputs, 0);
    frontAxis(node, intAttribute(node, 'axis', -1), x.shape.length);
    return [typed(x.dataType, x.shape)];
  },
  gradient(context) {
    const { builder, dy, y, yType } = singleOutput(context);
    const axis = frontAxis(context.node, intAttribute(context.node, 'axis', -1), yType.shape.length);
    const mean = builder.add('ReduceSum', [builder.add('Mul', [dy, y]), builder.integers([axis])], { keepdims: 1 });
    return [builder.add('Mul', [y, builder.add('Sub', [dy, mean])])];
  },
  coupling(context) {
    const axes = axesOf(context, 0);
    context.trace.pin(axisAt(axes, intAttribute(context.node, 'axis', -1)), `${nameOf(context.node)} normalises it`);
    return [axes];
  },
  cost: (_node, _inputs, [y]) => 12 * elementCount(y?.shape ?? []),
};
