import { MismatchError, UnsupportedError } from '../errors.ts';
import type { Node } from '../onnx/graph.ts';
import { intAttribute, nameOf } from './attributes.ts';
import { axesOf } from './couplings.ts';
import { reshapeTarget, singleOutput } from './gradients.ts';
import type { Operator } from './operator.ts';
import { elementCount, inputType, knownElements, show, typed } from './shapes.ts';

/** A new shape for the same elements: 0 keeps the input's size, one -1 takes what is left. */
export const reshape: Operator = {
  type: 'Reshape',
  domain: '',
  infer(node, inputs) {
    const x = inputType(node, inputs, 0);
    return [typed(x.dataType, reshapedTo(node, x.shape, knownElements(node, inputs, 1, 'target shape')), x.constant)];
  },
  gradient(context) {
    const { builder, dy } = singleOutput(context);
    return [builder.add('Reshape', [dy, reshapeTarget(context, 0)]), undefined];
  },
  coupling: (context) => [context.trace.regroup(axesOf(context, 0), context.outputTypes[0]?.shape ?? [])],
  cost: () => 0,
};

function reshapedTo(node: Node, shape: readonly number[], target: readonly number[]): number[] {
  if (intAttribute(node, 'allowzero', 0) === 1 && target.includes(0))
    throw new UnsupportedError(`${nameOf(node)}: allowzero with a size of 0 is not supported; give the size.`);
  const copied = target.map((size, axis) => (size === 0 ? (shape[axis] ?? -2) : size));
  const rest = copied.filter((size) => size !== -1).reduce((product, size) => product * size, 1);
  const count = elementCount(shape);
  const holes = copied.length - copied.filter((size) => size !== -1).length;
  const result = copied.map((size) => (size === -1 ? count / rest : size));
  if (holes > 1 || elementCount(result) !== count || result.some((size) => !Number.isInteger(size) || size < 0))
    throw new MismatchError(
      `${nameOf(node)}: ${show(shape)} (${count} elements) does not fit the target ${show(target)}. At most one size may be -1 and the products must agree.`,
    );
  return result;
}
