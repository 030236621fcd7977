import type { Node } from '../onnx/graph.ts';
import { axesOf } from './couplings.ts';
import { singleOutput } from './gradients.ts';
import type { Operator } from './operator.ts';
import { frontAxis, type InputTypes, inputType, knownElements, range, typed } from './shapes.ts';

/** Adds axes of size 1 at the given places of the output. */
export const unsqueeze: Operator = {
  type: 'Unsqueeze',
  domain: '',
  infer(node, inputs) {
    const x = inputType(node, inputs, 0);
    const axes = unsqueezedAxes(node, inputs);
    const sizes = x.shape.values();
    return [
      typed(
        x.dataType,
        range(x.shape.length + axes.length).map((axis) => (axes.includes(axis) ? 1 : (sizes.next().value ?? 1))),
        x.constant,
      ),
    ];
  },
  gradient(context) {
    const { builder, dy } = singleOutput(context);
    return [
      builder.add('Squeeze', [dy, builder.integers(unsqueezedAxes(context.node, context.inputTypes))]),
      undefined,
    ];
  },
  coupling(context) {
    const added = unsqueezedAxes(context.node, context.inputTypes);
    const axes = axesOf(context, 0).values();
    return [
      range(context.outputTypes[0]?.shape.length ?? 0).map((axis) =>
        added.includes(axis) ? [context.trace.fresh(1)] : (axes.next().value ?? []),
      ),
    ];
  },
  cost: () => 0,
};

/** New axes counted from the front of the output. */
export function unsqueezedAxes(node: Node, inputs: InputTypes): readonly number[] {
  const axes = knownElements(node, inputs, 1, 'axes');
  return axes.map((axis) => frontAxis(node, axis, inputType(node, inputs, 0).shape.length + axes.length));
}
