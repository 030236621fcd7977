import { UnsupportedError } from '../errors.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { DataType } from '../onnx/graph.ts';
import { nameOf, stringAttribute } from './attributes.ts';
import { unaryOperator } from './elementwise-rules.ts';
import { operand, scalar, singleOutput } from './gradients.ts';
import type { Operator } from './operator.ts';

/** Gaussian error linear unit (Hendrycks and Gimpel, arXiv 1606.08415), exact or by tanh, as the attribute `approximate` says. */
export const gelu: Operator = {
  ...unaryOperator({ type: 'Gelu' }),
  gradient(context) {
    const { builder, dy, yType } = singleOutput(context);
    const { name } = operand(context, 0);
    const approximate = stringAttribute(context.node, 'approximate', 'none');
    if (approximate !== 'none' && approximate !== 'tanh')
      throw new UnsupportedError(
        `${nameOf(context.node)}: approximate is ${JSON.stringify(approximate)}; allowed are "none" and "tanh".`,
      );
    const slope = (approximate === 'tanh' ? tanhSlope : exactSlope)(builder, name, yType.dataType);
    return [builder.add('Mul', [dy, slope])];
  },
};

/** Phi(x) + x phi(x), Phi and phi the normal distribution and density. */
function exactSlope(builder: GraphBuilder, x: string, dataType: DataType): string {
  const number = (value: number) => scalar(builder, value, dataType);
  const distribution = builder.add('Mul', [
    builder.add('Add', [builder.add('Erf', [builder.add('Mul', [x, number(Math.SQRT1_2)])]), number(1)]),
    number(0.5),
  ]);
  const exponent = builder.add('Mul', [builder.add('Mul', [x, x]), number(-0.5)]);
  const density = builder.add('Mul', [builder.add('Exp', [exponent]), number(1 / Math.sqrt(2 * Math.PI))]);
  return builder.add('Add', [distribution, builder.add('Mul', [x, density])]);
}

/** With u = c (x + a x^3) and t = tanh u: (1 + t) / 2 + x / 2 (1 - t^2) c (1 + 3 a x^2). */
function tanhSlope(builder: GraphBuilder, x: string, dataType: DataType): string {
  const number = (value: number) => scalar(builder, value, dataType);
  const cubic = 0.044715;
  const factor = Math.sqrt(2 / Math.PI);
  const square = builder.add('Mul', [x, x]);
  const poly = builder.add('Add', [builder.add('Mul', [square, number(factor * cubic)]), number(factor)]);
  const t = builder.add('Tanh', [builder.add('Mul', [x, poly])]);
  const inner = builder.add('Add', [builder.add('Mul', [square, number(3 * factor * cubic)]), number(factor)]);
  const bend = builder.add('Mul', [
    builder.add('Mul', [x, inner]),
    builder.add('Sub', [number(1), builder.add('Mul', [t, t])]),
  ]);
  return builder.add('Mul', [builder.add('Add', [builder.add('Add', [t, number(1)]), bend]), number(0.5)]);
}
