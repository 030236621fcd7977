import { elementCount } from '../arrays.ts';
import { MismatchError, UnsupportedError } from '../errors.ts';
import type { Node } from '../onnx/graph.ts';
import { intAttribute, intsAttribute, nameOf } from './attributes.ts';
import { axesOf, axisAt } from './couplings.ts';
import { operand, reshapeTarget, singleOutput, sumTo } from './gradients.ts';
import type { Operator } from './operator.ts';
import {
  broadcastShapes,
  frontAxis,
  type InputTypes,
  inputType,
  knownElements,
  range,
  show,
  sizeAt,
  typed,
} from './shapes.ts';

/** A new shape for the same elements: 0 keeps the input's size, one -1 takes what is left. */
const reshape: Operator = {
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

/** Axis i of the output is axis perm[i] of the input; reversed where perm is absent. */
const transpose: Operator = {
  type: 'Transpose',
  domain: '',
  infer(node, inputs) {
    const x = inputType(node, inputs, 0);
    return [
      typed(
        x.dataType,
        permutation(node, x.shape.length).map((axis) => sizeAt(x.shape, axis)),
      ),
    ];
  },
  gradient(context) {
    const { builder, dy } = singleOutput(context);
    const perm = permutation(context.node, operand(context, 0).type.shape.length);
    return [builder.add('Transpose', [dy], { perm: perm.map((_, axis) => perm.indexOf(axis)) })];
  },
  coupling(context) {
    const axes = axesOf(context, 0);
    return [permutation(context.node, axes.length).map((axis) => axisAt(axes, axis))];
  },
};

/** The permutation of a Transpose node over `rank` axes. */
function permutation(node: Node, rank: number): readonly number[] {
  const perm = intsAttribute(node, 'perm') ?? range(rank).reverse();
  if (perm.length !== rank || range(rank).some((axis) => !perm.includes(axis)))
    throw new MismatchError(
      `${nameOf(node)}: perm ${show(perm)} is not a permutation of the ${rank} axes of its input.`,
    );
  return perm;
}

/** Drops axes of size 1. */
const squeeze: Operator = {
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
};

/** Dropped axes counted from the front of the input; all of size 1 where none are named. */
function squeezedAxes(node: Node, inputs: InputTypes): readonly number[] {
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

/** Adds axes of size 1 at the given places of the output. */
const unsqueeze: Operator = {
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
};

/** New axes counted from the front of the output. */
function unsqueezedAxes(node: Node, inputs: InputTypes): readonly number[] {
  const axes = knownElements(node, inputs, 1, 'axes');
  return axes.map((axis) => frontAxis(node, axis, inputType(node, inputs, 0).shape.length + axes.length));
}

/** Broadcasts to a given shape (both ways, as ONNX defines it). */
const expand: Operator = {
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
};

/** Operators that give the same elements other axes. */
export const MOVEMENT: readonly Operator[] = [reshape, transpose, squeeze, unsqueeze, expand];
