import { MismatchError } from '../errors.ts';
import { float } from '../onnx/builder.ts';
import { floatAttribute, intAttribute, nameOf } from './attributes.ts';
import { axesOf, axisAt, broadcastAxes, type ShapedAxes } from './couplings.ts';
import { operand, scalar, singleOutput, sumTo } from './gradients.ts';
import type { Operator } from './operator.ts';
import { elementCount, inputType, requireSameType, show, sizeAt, typed } from './shapes.ts';

/** alpha op(A) op(B) + beta C, where op transposes or not. Gradients are Gemms too: nothing is transposed in memory. */
export const gemm: Operator = {
  type: 'Gemm',
  domain: '',
  infer(node, inputs) {
    const a = inputType(node, inputs, 0);
    const b = inputType(node, inputs, 1);
    requireSameType(node, a, b);
    if (a.shape.length !== 2 || b.shape.length !== 2)
      throw new MismatchError(
        `${nameOf(node)}: A ${show(a.shape)} and B ${show(b.shape)} must have two axes each; reshape first.`,
      );
    const transA = intAttribute(node, 'transA', 0);
    const transB = intAttribute(node, 'transB', 0);
    const inner = sizeAt(a.shape, transA ? 0 : 1);
    const innerB = sizeAt(b.shape, transB ? 1 : 0);
    if (inner !== innerB)
      throw new MismatchError(
        `${nameOf(node)}: A ${show(a.shape)} (transA ${transA}) contracts ${inner} and B ${show(b.shape)} (transB ${transB}) contracts ${innerB}; they must be equal.`,
      );
    const shape = [sizeAt(a.shape, transA ? 1 : 0), sizeAt(b.shape, transB ? 0 : 1)];
    const c = inputs[2];
    const fits =
      !c ||
      (c.shape.length <= 2 && c.shape.every((size, axis) => size === 1 || size === shape[axis + 2 - c.shape.length]));
    if (!fits) throw new MismatchError(`${nameOf(node)}: C ${show(c.shape)} does not broadcast to ${show(shape)}.`);
    return [typed(a.dataType, shape)];
  },
  gradient(context) {
    const { builder, dy, yType } = singleOutput(context);
    const a = operand(context, 0);
    const b = operand(context, 1);
    const transA = intAttribute(context.node, 'transA', 0);
    const transB = intAttribute(context.node, 'transB', 0);
    const alpha = floatAttribute(context.node, 'alpha', 1);
    const product = (left: string, right: string, transLeft: number, transRight: number) =>
      builder.add('Gemm', [left, right], {
        ...(transLeft && { transA: 1 }),
        ...(transRight && { transB: 1 }),
        ...(alpha !== 1 && { alpha: float(alpha) }),
      });
    const da = () => (transA ? product(b.name, dy, transB, 1) : product(dy, b.name, 0, 1 - transB));
    const db = () => (transB ? product(dy, a.name, 1, transA) : product(a.name, dy, 1 - transA, 0));
    const dc = () => {
      const sum = sumTo(builder, dy, yType.shape, operand(context, 2).type.shape);
      const beta = floatAttribute(context.node, 'beta', 1);
      return beta === 1 ? sum : builder.add('Mul', [sum, scalar(builder, beta, yType.dataType)]);
    };
    return [
      context.wanted[0] ? da() : undefined,
      context.wanted[1] ? db() : undefined,
      context.wanted[2] ? dc() : undefined,
    ];
  },
  coupling(context) {
    const [a, b] = [axesOf(context, 0), axesOf(context, 1)];
    const transA = intAttribute(context.node, 'transA', 0);
    const transB = intAttribute(context.node, 'transB', 0);
    context.trace.unify(axisAt(a, transA ? 0 : 1), axisAt(b, transB ? 1 : 0));
    const product: ShapedAxes = {
      axes: [axisAt(a, transA ? 1 : 0), axisAt(b, transB ? 0 : 1)],
      shape: context.outputTypes[0]?.shape ?? [],
    };
    const bias = context.inputTypes[2];
    return [bias ? broadcastAxes(context, [product, { axes: axesOf(context, 2), shape: bias.shape }]) : product.axes];
  },
  cost(node, inputs, [y]) {
    const count = elementCount(y?.shape ?? []);
    const inner = sizeAt(inputType(node, inputs, 0).shape, intAttribute(node, 'transA', 0) ? 0 : 1);
    return 2 * count * inner + (inputs[2] ? count : 0);
  },
};
