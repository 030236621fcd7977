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
  cost: () => 0,
};
