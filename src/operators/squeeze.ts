import { MismatchError } from '../errors.ts';
import type { Node } from '../onnx/graph.ts';
import { nameOf } from './attributes.ts';
import { axesOf } from './couplings.ts';
import { singleOutput } from './gradients.ts';
import type { Operator } from './operator.ts';
import { frontAxis, type InputTypes, inputType, knownElements, range, show, typed } from './shapes.ts';

/** Drops axes of size 1. */
export const squeeze: Operator = {
  type: 'Squeeze',
  domain: '',
  infer(node, inputs) {
    const x = inputType(node, inputs, 0);
    const axes = squeezedAxes(node, inputs);
    return [
      typed(
        x.dataType,
        x.shape.filter((_, axis) => !axes.includes(axis)),
        x.constant,
      ),
    ];
  },
  gradient(context) {
    const { builder, dy } = singleOutput(context);
    return [
      builder.add('Unsqueeze', [dy, builder.integers(squeezedAxes(context.node, context.inputTypes))]),
      undefined,
    ];
  },
  coupling(context) {
    const dropped = squeezedAxes(context.node, context.inputTypes);
    return [axesOf(context, 0).filter((_, axis) => !dropped.includes(axis))];
  },
  cost: () => 0,
};

/** Dropped axes counted from the front of the input; all of size 1 where none are named. */
export function squeezedAxes(node: Node, inputs: InputTypes): readonly number[] {
  const { shape } = inputType(node, inputs, 0);
  if (!inputs[1]) return range(shape.length).filter((axis) => shape[axis] === 1);
  const axes = knownElements(node, inputs, 1, 'axes').map((axis) => frontAxis(node, axis, shape.length));
  for (const axis of axes)
    if (shape[axis] !== 1)
      throw new MismatchError(
        `${nameOf(node)}: axis ${axis} of ${show(shape)} has size ${shape[axis]}; only axes of size 1 can be squeezed.`,
      );
  return axes;
}
