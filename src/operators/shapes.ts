import { MismatchError, UnsupportedError } from '../errors.ts';
import type { DataType, Node } from '../onnx/graph.ts';
import { nameOf } from './attributes.ts';
import type { ConcreteType } from './operator.ts';

/** Longest tensor whose elements are followed through the graph as `constant`. */
export const CONSTANT_LIMIT = 64;

export type InputTypes = readonly (ConcreteType | undefined)[];

export const isFloating = (dataType: DataType): boolean =>
  dataType === 'float32' || dataType === 'float64' || dataType === 'float16';

export const show = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

export const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** The size of an axis that is known to exist. */
export function sizeAt(shape: readonly number[], axis: number): number {
  const size = shape[axis];
  if (size === undefined) throw new MismatchError(`Axis ${axis} is outside the shape ${show(shape)}.`);
  return size;
}

/** Input `index` of `node`, or a MismatchError where it is absent. */
export function inputType(node: Node, inputs: InputTypes, index: number): ConcreteType {
  const type = inputs[index];
  if (!type) throw new MismatchError(`${nameOf(node)} lacks its input ${index}; it has ${node.inputs.length} inputs.`);
  return type;
}

/** Name of input `index` of `node`, which inference has already found present. */
export function inputName(node: Node, index: number): string {
  const name = node.inputs[index];
  if (!name) throw new MismatchError(`${nameOf(node)} lacks its input ${index}; it has ${node.inputs.length} inputs.`);
  return name;
}

/** A single output type; `constant` is dropped where it is too long to follow. */
export function typed(
  dataType: DataType,
  shape: readonly number[],
  constant?: readonly number[] | undefined,
): ConcreteType {
  return constant && constant.length <= CONSTANT_LIMIT ? { dataType, shape, constant } : { dataType, shape };
}

/** An axis counted from the front. Throws where it is outside [-rank, rank). */
export function frontAxis(node: Node, axis: number, rank: number): number {
  if (axis < -rank || axis >= rank)
    throw new MismatchError(
      `${nameOf(node)}: axis ${axis} is outside a tensor of rank ${rank}; allowed are ${-rank} to ${rank - 1}.`,
    );
  return axis < 0 ? axis + rank : axis;
}

/** Elements of an integer input that shape inference must know. */
export function knownElements(node: Node, inputs: InputTypes, index: number, what: string): readonly number[] {
  const { constant } = inputType(node, inputs, index);
  if (!constant) {
    throw new UnsupportedError(
      `${nameOf(node)}: its ${what} (input ${index}, ${node.inputs[index]}) depends on data. It must follow from constants and shapes; compute it from Shape or give it as an initializer.`,
    );
  }
  return constant;
}

/** Shape of an elementwise result by ONNX (NumPy) broadcasting. */
export function broadcastShapes(node: Node, shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return range(rank).map((axis) => {
    let result = 1;
    for (const shape of shapes) {
      const size = shape[axis - rank + shape.length] ?? 1;
      if (size === 1 || size === result) continue;
      if (result !== 1)
        throw new MismatchError(
          `${nameOf(node)}: shapes ${shapes.map(show).join(' and ')} do not broadcast together on axis ${axis} (${result} against ${size}).`,
        );
      result = size;
    }
    return result;
  });
}

/** Requires that two inputs have one element type. */
export function requireSameType(node: Node, a: ConcreteType, b: ConcreteType): void {
  if (a.dataType !== b.dataType)
    throw new MismatchError(
      `${nameOf(node)}: inputs are ${a.dataType} and ${b.dataType}; they must agree. Insert a Cast.`,
    );
}
