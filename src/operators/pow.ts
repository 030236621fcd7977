import { UnsupportedError } from '../errors.ts';
import { nameOf } from './attributes.ts';
import { elementwise } from './couplings.ts';
import { operand, scalar, singleOutput, sumTo } from './gradients.ts';
import type { Operator } from './operator.ts';
import { broadcastShapes, elementCount, inputType, typed } from './shapes.ts';

/** x to the power p. The gradient with respect to the exponent is not offered. */
export const pow: Operator = {
  type: 'Pow',
  domain: '',
  infer(node, inputs) {
    const x = inputType(node, inputs, 0);
    return [typed(x.dataType, broadcastShapes(node, [x.shape, inputType(node, inputs, 1).shape]))];
  },
  gradient(context) {
    if (context.wanted[1])
      throw new UnsupportedError(
        `${nameOf(context.node)}: the gradient with respect to an exponent is not supported; make the exponent a constant.`,
      );
    const { builder, dy, yType } = singleOutput(context);
    const x = operand(context, 0);
    const exponent = operand(context, 1);
    const [known] = exponent.type.constant ?? [];
    const isSquare = known === 2 && exponent.type.constant?.length === 1;
    const slope = isSquare
      ? builder.add('Mul', [x.name, scalar(builder, 2, x.type.dataType)])
      : builder.add('Mul', [
          exponent.name,
          builder.add('Pow', [x.name, builder.add('Sub', [exponent.name, scalar(builder, 1, exponent.type.dataType)])]),
        ]);
    return [sumTo(builder, builder.add('Mul', [dy, slope]), yType.shape, x.type.shape), undefined];
  },
  coupling: elementwise,
  cost: (_node, _inputs, [y]) => 8 * elementCount(y?.shape ?? []),
};
