import { elementCount } from '../arrays.ts';
import type { DataType } from './graph.ts';

/** Code in TensorProto.DataType of onnx.proto, and bytes of one element. */
const DATA_TYPES: Readonly<Record<DataType, { readonly code: number; readonly bytes: number }>> = {
  float32: { code: 1, bytes: 4 },
  uint8: { code: 2, bytes: 1 },
  int8: { code: 3, bytes: 1 },
  int32: { code: 6, bytes: 4 },
  int64: { code: 7, bytes: 8 },
  bool: { code: 9, bytes: 1 },
  float16: { code: 10, bytes: 2 },
  float64: { code: 11, bytes: 8 },
};

/** The data types that a graph may hold. */
export const dataTypes = Object.keys(DATA_TYPES) as readonly DataType[];

const BY_CODE: ReadonlyMap<number, DataType> = new Map(
  dataTypes.map((dataType) => [DATA_TYPES[dataType].code, dataType]),
);

/** ONNX's number for a data type. */
export function dataTypeCode(dataType: DataType): number {
  return DATA_TYPES[dataType].code;
}

/** The data type with ONNX's number `code`; undefined for those that Espalier does not represent. */
export function dataTypeFromCode(code: number): DataType | undefined {
  return BY_CODE.get(code);
}

/** Bytes of one element. */
function bytesPerElement(dataType: DataType): number {
  return DATA_TYPES[dataType].bytes;
}

/** Bytes of a tensor's contents, elements packed row-major. May be inexact above 2^53: check with Number.isSafeInteger. */
export function tensorByteLength(dataType: DataType, shape: readonly number[]): number {
  return elementCount(shape) * bytesPerElement(dataType);
}
