import { elementwise } from './couplings.ts';
import { operand, scalar, singleOutput, sumTo } from './gradients.ts';
import type { Operator } from './operator.ts';
import { broadcastShapes, elementCount, inputType, requireSameType, typed } from './shapes.ts';

/** condition ? a : b, elementwise with broadcasting. */
export const where: Operator = {
  type: 'Where',
  domain: '',
  infer(node, inputs) {
    const condition = inputType(node, inputs, 0);
    const a = inputType(node, inputs, 1);
    const b = inputType(node, inputs, 2);
    requireSameType(node, a, b);
    const shape = broadcastShapes(node, [condition.shape, a.shape, b.shape]);
    const count = elementCount(shape);
    const known = [condition, a, b].every((type) => type.constant?.length === count);
    return [
      typed(
        a.dataType,
        shape,
        known ? condition.constant?.map((bit, index) => (bit ? a : b).constant?.[index] ?? 0) : undefined,
      ),
    ];
  },
  gradient(context) {
    const { builder, dy, yType } = singleOutput(context);
    const condition = operand(context, 0);
    const zero = scalar(builder, 0, yType.dataType);
    const masked = (index: 1 | 2) =>
      context.wanted[index]
        ? sumTo(
            builder,
            builder.add('Where', index === 1 ? [condition.name, dy, zero] : [condition.name, zero, dy]),
            yType.shape,
            operand(context, index).type.shape,
          )
        : undefined;
    return [undefined, masked(1), masked(2)];
  },
  coupling: elementwise,
  cost: (_node, _inputs, [y]) => elementCount(y?.shape ?? []),
};
