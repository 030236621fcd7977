import { MismatchError } from '../errors.ts';
import type { Node } from '../onnx/graph.ts';
import { intAttribute, nameOf } from './attributes.ts';
import { axesOf, axisAt } from './couplings.ts';
import { operand, zerosLike } from './gradients.ts';
import type { Operator } from './operator.ts';
import { frontAxis, type InputTypes, inputType, knownElements, show, sizeAt, typed } from './shapes.ts';

/** A tensor cut along one axis, into the sizes of input 1 or into equal parts (the last may be smaller). */
export const split: Operator = {
  type: 'Split',
  domain: '',
  infer(node, inputs) {
    const x = inputType(node, inputs, 0);
    const axis = frontAxis(node, intAttribute(node, 'axis', 0), x.shape.length);
    return splitSizes(node, inputs).map((size) => typed(x.dataType, x.shape.with(axis, size)));
  },
  gradient(context) {
    const { builder, node, outputGradients, outputTypes } = context;
    const x = operand(context, 0);
    const axis = frontAxis(node, intAttribute(node, 'axis', 0), x.type.shape.length);
    const parts = outputGradients.map(
      (part, index) =>
        part ?? zerosLike(builder, node.outputs[index] ?? '', outputTypes[index]?.dataType ?? x.type.dataType),
    );
    return [parts.length === 1 ? parts[0] : builder.add('Concat', parts, { axis }), undefined];
  },
  coupling(context) {
    const axes = axesOf(context, 0);
    const axis = frontAxis(context.node, intAttribute(context.node, 'axis', 0), axes.length);
    return context.trace
      .cut(axisAt(axes, axis), splitSizes(context.node, context.inputTypes))
      .map((part) => axes.with(axis, part));
  },
  cost: () => 0,
};

/** Size of each part along the split axis. */
export function splitSizes(node: Node, inputs: InputTypes): readonly number[] {
  const x = inputType(node, inputs, 0);
  const size = sizeAt(x.shape, frontAxis(node, intAttribute(node, 'axis', 0), x.shape.length));
  const count = node.outputs.length;
  const chunk = Math.ceil(size / count);
  const sizes = inputs[1]
    ? knownElements(node, inputs, 1, 'split sizes')
    : node.outputs.map((_, index) => Math.min(chunk, size - index * chunk));
  if (sizes.length !== count || sizes.some((part) => part < 0) || sizes.reduce((sum, part) => sum + part, 0) !== size)
    throw new MismatchError(
      `${nameOf(node)}: parts ${show(sizes)} for ${count} outputs do not make up the axis of size ${size}.`,
    );
  return sizes;
}
