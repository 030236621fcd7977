import { elementCount } from '../arrays.ts';
import { MismatchError } from '../errors.ts';
import type { DataType } from '../onnx/graph.ts';
import type { HostTensor, TensorArray } from './runtime.ts';

const BYTES_PER_ELEMENT: Readonly<Record<DataType, number>> = {
  float32: 4,
  float16: 2,
  float64: 8,
  int64: 8,
  int32: 4,
  int8: 1,
  uint8: 1,
  bool: 1,
};

/** Bytes that a tensor takes, without padding. */
export function tensorBytes(dataType: DataType, shape: readonly number[]): number {
  return elementCount(shape) * BYTES_PER_ELEMENT[dataType];
}

/** The elements in `buffer` as the array class that stores `dataType` (float16 as bits, bool as bytes). Shares memory. */
export function viewAs(dataType: DataType, buffer: ArrayBufferLike, byteOffset = 0, length?: number): TensorArray {
  switch (dataType) {
    case 'float32':
      return new Float32Array(buffer, byteOffset, length);
    case 'float64':
      return new Float64Array(buffer, byteOffset, length);
    case 'float16':
      return new Uint16Array(buffer, byteOffset, length);
    case 'int64':
      return new BigInt64Array(buffer, byteOffset, length);
    case 'int32':
      return new Int32Array(buffer, byteOffset, length);
    case 'int8':
      return new Int8Array(buffer, byteOffset, length);
    case 'uint8':
    case 'bool':
      return new Uint8Array(buffer, byteOffset, length);
  }
}

/** A zeroed array for `length` elements of `dataType`. */
export function zeros(dataType: DataType, length: number): TensorArray {
  return viewAs(dataType, new ArrayBuffer(length * BYTES_PER_ELEMENT[dataType]));
}

/** The bytes of an array. Shares memory. */
export function bytesOf(data: TensorArray): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** 'float32 [2, 3]', for messages and labels. */
export function describeType(dataType: DataType, shape: readonly (number | string)[]): string {
  return `${dataType} [${shape.join(', ')}]`;
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** Throws MismatchError when a shape has a negative or fractional size. */
export function checkShape(shape: readonly number[]): void {
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0)
      throw new MismatchError(
        `A tensor of shape [${shape.join(', ')}] cannot be made: ${size} is not a whole number of at least 0.`,
      );
  }
}

/** Throws MismatchError when the array class or length of a host tensor does not fit its type and shape. */
export function checkHostTensor(tensor: HostTensor): void {
  checkShape(tensor.shape);
  const expected = viewAs(tensor.dataType, new ArrayBuffer(0));
  if (tensor.data.constructor !== expected.constructor)
    throw new MismatchError(
      `A ${tensor.dataType} tensor stores its elements in ${expected.constructor.name}, but was given ${tensor.data.constructor.name}.`,
    );
  const elements = elementCount(tensor.shape);
  if (tensor.data.length !== elements)
    throw new MismatchError(
      `A tensor ${describeType(tensor.dataType, tensor.shape)} has ${elements} elements, but its array has ${tensor.data.length}. Give an array of ${elements}.`,
    );
}
