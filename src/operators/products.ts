import { elementCount } from '../arrays.ts';
import { MismatchError } from '../errors.ts';
import { float, type GraphBuilder } from '../onnx/builder.ts';
import type { Node } from '../onnx/graph.ts';
import { floatAttribute, intAttribute, nameOf } from './attributes.ts';
import { axesOf, axisAt, broadcastAxes, type ShapedAxes } from './couplings.ts';
import { operand, scalar, singleOutput, sizeOfAxis, sumTo } from './gradients.ts';
import type { ConcreteType, GradientContext, Operator } from './operator.ts';
import { broadcastShapes, inputType, range, requireSameType, show, sizeAt, typed } from './shapes.ts';

/** Matrix product over the last two axes with broadcasting batch axes; a vector counts as a row on the left, a column on the right. */
const matmul: Operator = {
  type: 'MatMul',
  domain: '',
  infer(node, inputs) {
    const a = inputType(node, inputs, 0);
    const b = inputType(node, inputs, 1);
    requireSameType(node, a, b);
    const left = asMatrices(node, a, 'left');
    const right = asMatrices(node, b, 'right');
    const inner = sizeAt(left, left.length - 1);
    const innerB = sizeAt(right, right.length - 2);
    if (inner !== innerB)
      throw new MismatchError(
        `${nameOf(node)}: ${show(a.shape)} contracts ${inner} and ${show(b.shape)} contracts ${innerB}; they must be equal.`,
      );
    const shape = broadcastShapes(node, [left.slice(0, -2), right.slice(0, -2)]);
    if (a.shape.length > 1) shape.push(sizeAt(left, left.length - 2));
    if (b.shape.length > 1) shape.push(sizeAt(right, right.length - 1));
    return [typed(a.dataType, shape)];
  },
  gradient(context) {
    const a = operand(context, 0);
    const b = operand(context, 1);
    if (a.type.shape.length > 2 && b.type.shape.length === 2) return sharedMatrixGradient(context);
    return batchedGradient(context);
  },
  coupling(context) {
    const [a, b] = [axesOf(context, 0), axesOf(context, 1)];
    const [aShape, bShape] = [
      inputType(context.node, context.inputTypes, 0).shape,
      inputType(context.node, context.inputTypes, 1).shape,
    ];
    context.trace.unify(axisAt(a, -1), axisAt(b, b.length === 1 ? 0 : -2));
    const batches: ShapedAxes[] = [
      { axes: a.slice(0, -2), shape: aShape.slice(0, -2) },
      { axes: b.slice(0, -2), shape: bShape.slice(0, -2) },
    ];
    const rows = a.length > 1 ? [axisAt(a, -2)] : [];
    const columns = b.length > 1 ? [axisAt(b, -1)] : [];
    return [[...broadcastAxes(context, batches), ...rows, ...columns]];
  },
  multiplyAccumulates(node, inputs, [y]) {
    const { shape } = inputType(node, inputs, 0);
    return elementCount(y?.shape ?? []) * sizeAt(shape, shape.length - 1);
  },
};

function asMatrices(node: Node, type: ConcreteType, side: 'left' | 'right'): readonly number[] {
  if (type.shape.length === 0) throw new MismatchError(`${nameOf(node)}: a scalar has no axis to contract; use Mul.`);
  if (type.shape.length > 1) return type.shape;
  return side === 'left' ? [1, ...type.shape] : [...type.shape, 1];
}

/** X [..., in] times W [in, out]: rows are flattened, so dW is one Gemm and no batch of partial weight gradients exists. */
function sharedMatrixGradient(context: GradientContext): (string | undefined)[] {
  const { builder, dy, yType } = singleOutput(context);
  const x = operand(context, 0);
  const w = operand(context, 1);
  const rank = x.type.shape.length;
  const rows = (value: string, width: string) =>
    builder.add('Reshape', [value, builder.add('Concat', [builder.integers([-1]), width], { axis: 0 })]);
  const dx = () => builder.add('MatMul', [dy, transposeMatrices(builder, w.name, 2)]);
  const dw = () => {
    const inner = sizeOfAxis(context, 0, rank - 1);
    const outer =
      context.knownInputSizes[1]?.[1] === undefined
        ? builder.add('Shape', [w.name], { start: 1, end: 2 })
        : builder.integers([sizeAt(yType.shape, rank - 1)]);
    return builder.add('Gemm', [rows(x.name, inner), rows(dy, outer)], { transA: 1 });
  };
  return [context.wanted[0] ? dx() : undefined, context.wanted[1] ? dw() : undefined];
}

function batchedGradient(context: GradientContext): (string | undefined)[] {
  const { builder, dy, yType } = singleOutput(context);
  const a = operand(context, 0);
  const b = operand(context, 1);
  const vectorA = a.type.shape.length === 1;
  const vectorB = b.type.shape.length === 1;
  const aShape = asMatrices(context.node, a.type, 'left');
  const bShape = asMatrices(context.node, b.type, 'right');
  const batch = yType.shape.slice(0, yType.shape.length - (vectorA ? 0 : 1) - (vectorB ? 0 : 1));
  // Vectors become matrices, the gradient of the output likewise.
  const left = vectorA ? builder.add('Unsqueeze', [a.name, builder.integers([0])]) : a.name;
  const right = vectorB ? builder.add('Unsqueeze', [b.name, builder.integers([1])]) : b.name;
  const withRow = vectorA ? builder.add('Unsqueeze', [dy, builder.integers([batch.length])]) : dy;
  const slope = vectorB ? builder.add('Unsqueeze', [withRow, builder.integers([batch.length + 1])]) : withRow;
  const da = () => {
    const full = builder.add('MatMul', [slope, transposeMatrices(builder, right, bShape.length)]);
    const sum = sumTo(builder, full, [...batch, ...aShape.slice(-2)], aShape);
    return vectorA ? builder.add('Squeeze', [sum, builder.integers([0])]) : sum;
  };
  const db = () => {
    const full = builder.add('MatMul', [transposeMatrices(builder, left, aShape.length), slope]);
    const sum = sumTo(builder, full, [...batch, ...bShape.slice(-2)], bShape);
    return vectorB ? builder.add('Squeeze', [sum, builder.integers([1])]) : sum;
  };
  return [context.wanted[0] ? da() : undefined, context.wanted[1] ? db() : undefined];
}

/** Swaps the last two axes. The transpose of a transpose is folded away by passes/simplify.ts. */
function transposeMatrices(builder: GraphBuilder, value: string, rank: number): string {
  return builder.add('Transpose', [value], { perm: [...range(rank - 2), rank - 1, rank - 2] });
}

/** alpha op(A) op(B) + beta C, where op transposes or not. Gradients are Gemms too: nothing is transposed in memory. */
const gemm: Operator = {
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
  multiplyAccumulates(node, inputs, [y]) {
    const { shape } = inputType(node, inputs, 0);
    return elementCount(y?.shape ?? []) * sizeAt(shape, intAttribute(node, 'transA', 0) ? 0 : 1);
  },
};

/** Products of matrices. */
export const PRODUCTS: readonly Operator[] = [matmul, gemm];
