import { MismatchError } from '../errors.ts';
import { intAttribute, nameOf } from './attributes.ts';
import { axesOf, axisAt } from './couplings.ts';
import { singleOutput, sizeOfAxis } from './gradients.ts';
import type { Operator } from './operator.ts';
import { frontAxis, inputType, range, show, sizeAt, typed } from './shapes.ts';

/** Tensors joined along one axis. */
export const concat: Operator = {
  type: 'Concat',
  domain: '',
  infer(node, inputs) {
    const parts = node.inputs.map((_, index) => inputType(node, inputs, index));
    const first = inputType(node, inputs, 0);
    const axis = frontAxis(node, intAttribute(node, 'axis', 0), first.shape.length);
    for (const part of parts) {
      const fits =
        part.dataType === first.dataType &&
        part.shape.length === first.shape.length &&
        part.shape.every((size, index) => index === axis || size === first.shape[index]);
      if (!fits)
        throw new MismatchError(
          `${nameOf(node)}: ${first.dataType} ${show(first.shape)} and ${part.dataType} ${show(part.shape)} may differ only on axis ${axis}.`,
        );
    }
    const shape = first.shape.with(
      axis,
      parts.reduce((sum, part) => sum + sizeAt(part.shape, axis), 0),
    );
    const known =
      shape.length === 1 && parts.every((part) => part.constant)
        ? parts.flatMap((part) => part.constant ?? [])
        : undefined;
    return [typed(first.dataType, shape, known)];
  },
  gradient(context) {
    const { builder, dy, yType } = singleOutput(context);
    const { node } = context;
    const axis = frontAxis(node, intAttribute(node, 'axis', 0), yType.shape.length);
    if (node.inputs.length === 1) return [dy];
    const known = node.inputs.map((_, index) => context.knownInputSizes[index]?.[axis]);
    const sizes = known.every((size) => size !== undefined)
      ? builder.integers(known as number[])
      : builder.add(
          'Concat',
          range(node.inputs.length).map((index) => sizeOfAxis(context, index, axis)),
          { axis: 0 },
        );
    return builder
      .addMany('Split', [dy, sizes], node.inputs.length, { axis })
      .map((part, index) => (context.wanted[index] ? part : undefined));
  },
  coupling(context) {
    const { node, trace } = context;
    const parts = node.inputs.map((_, index) => axesOf(context, index));
    const first = axesOf(context, 0);
    const joined = frontAxis(node, intAttribute(node, 'axis', 0), first.length);
    return [
      first.map((_, axis) => {
        const aligned = parts.map((part) => axisAt(part, axis));
        return axis === joined ? trace.concatenate(aligned) : aligned.reduce((a, b) => trace.unify(a, b));
      }),
    ];
  },
  cost: () => 0,
};
