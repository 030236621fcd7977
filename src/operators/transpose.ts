import { MismatchError } from '../errors.ts';
import type { Node } from '../onnx/graph.ts';
import { intsAttribute, nameOf } from './attributes.ts';
import { axesOf, axisAt } from './couplings.ts';
import { operand, singleOutput } from './gradients.ts';
import type { Operator } from './operator.ts';
import { inputType, range, show, sizeAt, typed } from './shapes.ts';

/** Axis i of the output is axis perm[i] of the input; reversed where perm is absent. */
export const transpose: Operator = {
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
  cost: () => 0,
};

/** The permutation of a Transpose node over `rank` axes. */
export function permutation(node: Node, rank: number): readonly number[] {
  const perm = intsAttribute(node, 'perm') ?? range(rank).reverse();
  if (perm.length !== rank || range(rank).some((axis) => !perm.includes(axis)))
    throw new MismatchError(
      `${nameOf(node)}: perm ${show(perm)} is not a permutation of the ${rank} axes of its input.`,
    );
  return perm;
}
