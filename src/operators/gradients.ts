import { MismatchError } from '../errors.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { DataType } from '../onnx/graph.ts';
import { nameOf } from './attributes.ts';
import type { ConcreteType, GradientContext } from './operator.ts';
import { inputName, inputType, range } from './shapes.ts';

/** What most single-output rules need: names, types and the gradient of the output. */
export interface SingleOutput {
  readonly builder: GraphBuilder;
  /** Gradient of the loss with respect to the output. */
  readonly dy: string;
  /** The output itself. */
  readonly y: string;
  readonly yType: ConcreteType;
}

/** The parts of a single-output node. The caller (differentiate) visits a node only when its output has a gradient. */
export function singleOutput(context: GradientContext): SingleOutput {
  const [dy] = context.outputGradients;
  const [yType] = context.outputTypes;
  const [y] = context.node.outputs;
  if (dy === undefined || yType === undefined || y === undefined)
    throw new MismatchError(`${nameOf(context.node)}: the gradient of its first output is needed and absent.`);
  return { builder: context.builder, dy, y, yType };
}

/** Name and concrete type of input `index`. */
export function operand(
  context: GradientContext,
  index: number,
): { readonly name: string; readonly type: ConcreteType } {
  return { name: inputName(context.node, index), type: inputType(context.node, context.inputTypes, index) };
}

/** A floating-point scalar in `dataType`. */
export function scalar(builder: GraphBuilder, value: number, dataType: DataType): string {
  if (dataType !== 'float16') return builder.constant([value], [], dataType);
  return castTo(builder, builder.constant([value]), dataType);
}

/** ONNX TensorProto element type numbers, as Cast's attribute `to` wants them. */
export const ELEMENT_TYPES: Readonly<Record<DataType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
};

export function castTo(builder: GraphBuilder, value: string, dataType: DataType): string {
  return builder.add('Cast', [value], { to: ELEMENT_TYPES[dataType] });
}

/** Zeros in the run-time shape of `value`. */
export function zerosLike(builder: GraphBuilder, value: string, dataType: DataType): string {
  return builder.add('Expand', [scalar(builder, 0, dataType), builder.add('Shape', [value])]);
}

/**
 * Undoes broadcasting: sums `gradient` of shape `from` over the axes that an operand of shape `to` lacks or has with size 1.
 * Which axes those are is decided at example sizes; the result is valid at any size.
 */
export function sumTo(builder: GraphBuilder, gradient: string, from: readonly number[], to: readonly number[]): string {
  const lead = from.length - to.length;
  const stretched = range(to.length).filter((axis) => to[axis] === 1 && from[axis + lead] !== 1);
  const stretchedSum =
    stretched.length === 0
      ? gradient
      : builder.add('ReduceSum', [gradient, builder.integers(stretched.map((axis) => axis + lead))], { keepdims: 1 });
  return lead === 0
    ? stretchedSum
    : builder.add('ReduceSum', [stretchedSum, builder.integers(range(lead))], { keepdims: 0 });
}

/** A target for Reshape back to input `index`: constant with one -1 where that is enough, else the shape at run time. */
export function reshapeTarget(context: GradientContext, index: number): string {
  const sizes = context.knownInputSizes[index];
  if (sizes && sizes.filter((size) => size === undefined).length <= 1 && !sizes.includes(0)) {
    return context.builder.integers(sizes.map((size) => size ?? -1));
  }
  return context.builder.add('Shape', [inputName(context.node, index)]);
}

/** A one-dimensional int64 value with the size of one axis of input `index`. */
export function sizeOfAxis(context: GradientContext, index: number, axis: number): string {
  const known = context.knownInputSizes[index]?.[axis];
  if (known !== undefined) return context.builder.integers([known]);
  return context.builder.add('Shape', [inputName(context.node, index)], { start: axis, end: axis + 1 });
}
