import { axesOf, axisAt } from './couplings.ts';
import { operand, singleOutput, sumTo } from './gradients.ts';
import type { Operator } from './operator.ts';
import { broadcastShapes, inputType, knownElements, typed } from './shapes.ts';

/** Broadcasts to a given shape (both ways, as ONNX defines it). */
export const expand: Operator = {
  type: 'Expand',
  domain: '',
  infer(node, inputs) {
    const x = inputType(node, inputs, 0);
    return [typed(x.dataType, broadcastShapes(node, [x.shape, knownElements(node, inputs, 1, 'target shape')]))];
  },
  gradient(context) {
    const { builder, dy, yType } = singleOutput(context);
    return [sumTo(builder, dy, yType.shape, operand(context, 0).type.shape), undefined];
  },
  coupling(context) {
    const axes = axesOf(context, 0);
    const { shape } = inputType(context.node, context.inputTypes, 0);
    const target = context.outputTypes[0]?.shape ?? [];
    return [
      target.map((size, axis) => {
        const own = axis - target.length + axes.length;
        return own >= 0 && shape[own] === size ? axisAt(axes, own) : [context.trace.fresh(size)];
      }),
    ];
  },
  cost: () => 0,
};
