import { isFieldSet } from '@bufbuild/protobuf';
import {
  TensorProto_DataLocation as DataLocation,
  type TensorProto,
  TensorProto_DataType,
  TensorProtoSchema,
} from 'onnx-buf';
import { FileFormatError, UnsupportedError } from '../errors.ts';
import { dataTypeFromCode, dataTypes, tensorByteLength } from './data-types.ts';
import { plainLocation } from './external-location.ts';
import type { DataType, Initializer, TensorContents } from './graph.ts';
import { findTensorProblem } from './validate.ts';

/**
 * A tensor of an ONNX file, its contents normalised to little-endian bytes whichever of ONNX's six fields hold them. `label` names it in
 * errors. Bytes may be a view into the file, at any alignment. Nothing is allocated from the sizes that the file claims.
 */
export function readTensor(proto: TensorProto, label: string): Initializer {
  const dataType = readDataType(proto.dataType, `Tensor ${label}`);
  if (proto.segment)
    throw new UnsupportedError(
      `Tensor ${label} is stored in segments, which Espalier does not read. Save it again with the onnx package.`,
    );
  const shape = proto.dims.map((size) => readSize(size, `Tensor ${label}`));
  const contents =
    proto.dataLocation === DataLocation.EXTERNAL
      ? readReference(proto, dataType, shape, label)
      : readContents(proto, dataType, label);
  const tensor: Initializer = { dataType, shape, contents };
  const problem = findTensorProblem(label, tensor);
  if (problem) throw new FileFormatError(problem);
  return tensor;
}

/** The data type of ONNX's number `code`; `owner` is the subject of the error sentence. */
export function readDataType(code: number, owner: string): DataType {
  const dataType = dataTypeFromCode(code);
  if (dataType) return dataType;
  const name = TensorProto_DataType[code];
  if (name === undefined || code === TensorProto_DataType.UNDEFINED)
    throw new FileFormatError(
      `${owner} has the data type ${code}, which ONNX does not define. Export the model again.`,
    );
  throw new UnsupportedError(
    `${owner} has the data type ${name}; Espalier reads ${dataTypes.join(', ')}. Export the model in float32 or float16.`,
  );
}

/** A size as a number. Throws FileFormatError when it is negative or above 2^53. */
export function readSize(size: bigint, owner: string): number {
  const value = Number(size);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new FileFormatError(`${owner} has the size ${size}; sizes must be from 0 to 2^53.`);
  return value;
}

const TYPED_FIELDS = ['floatData', 'int32Data', 'int64Data', 'doubleData', 'uint64Data', 'stringData'] as const;

function readContents(proto: TensorProto, dataType: DataType, label: string): TensorContents {
  const filled = TYPED_FIELDS.filter((field) => proto[field].length > 0);
  if (isFieldSet(proto, TensorProtoSchema.field.rawData)) {
    if (filled.length > 0)
      throw new FileFormatError(`Tensor ${label} holds its elements both in rawData and in ${filled.join(', ')}.`);
    return { kind: 'bytes', bytes: proto.rawData };
  }
  const field = typedField(dataType);
  const other = filled.find((name) => name !== field);
  if (other)
    throw new FileFormatError(
      `Tensor ${label} of ${dataType} holds its elements in ${other}; ONNX keeps them in ${field}.`,
    );
  return { kind: 'bytes', bytes: encodeTyped(proto, dataType, label) };
}

function typedField(dataType: DataType): (typeof TYPED_FIELDS)[number] {
  if (dataType === 'float32') return 'floatData';
  if (dataType === 'float64') return 'doubleData';
  return dataType === 'int64' ? 'int64Data' : 'int32Data';
}

/** Typed fields as bytes. Types narrower than int32, and float16 as its bits, are stored as one int32 per element. */
function encodeTyped(proto: TensorProto, dataType: DataType, label: string): Uint8Array {
  const integers = (lowest: number, highest: number): number[] => {
    const outside = proto.int32Data.find((value) => value < lowest || value > highest);
    if (outside !== undefined)
      throw new FileFormatError(
        `Tensor ${label} of ${dataType} has the element ${outside}; they must be from ${lowest} to ${highest}.`,
      );
    return proto.int32Data;
  };
  switch (dataType) {
    case 'float32':
      return new Uint8Array(Float32Array.from(proto.floatData).buffer);
    case 'float64':
      return new Uint8Array(Float64Array.from(proto.doubleData).buffer);
    case 'int64':
      return new Uint8Array(BigInt64Array.from(proto.int64Data).buffer);
    case 'int32':
      return new Uint8Array(Int32Array.from(proto.int32Data).buffer);
    case 'int8':
      return new Uint8Array(Int8Array.from(integers(-128, 127)).buffer);
    case 'uint8':
      return Uint8Array.from(integers(0, 255));
    case 'bool':
      return Uint8Array.from(integers(0, 1));
    case 'float16':
      return new Uint8Array(Uint16Array.from(integers(0, 0xffff)).buffer);
  }
}

function readReference(
  proto: TensorProto,
  dataType: DataType,
  shape: readonly number[],
  label: string,
): TensorContents {
  const entries = new Map(proto.externalData.map(({ key, value }) => [key, value]));
  if (entries.size < proto.externalData.length)
    throw new FileFormatError(`Tensor ${label} names an entry of its external data twice.`);
  if (isFieldSet(proto, TensorProtoSchema.field.rawData) || TYPED_FIELDS.some((field) => proto[field].length > 0))
    throw new FileFormatError(`Tensor ${label} holds elements although it says that they lie in external data.`);
  const location = entries.get('location');
  if (location === undefined) throw new FileFormatError(`Tensor ${label} lies in external data without a location.`);
  const offset = readPosition(entries.get('offset') ?? '0', 'offset', label);
  const length = entries.get('length');
  return {
    kind: 'external',
    location: plainLocation(location),
    offset,
    length: length === undefined ? tensorByteLength(dataType, shape) : readPosition(length, 'length', label),
  };
}

function readPosition(text: string, what: string, label: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value))
    throw new FileFormatError(
      `Tensor ${label} has the external data ${what} ${JSON.stringify(text)}; it must be a whole number below 2^53.`,
    );
  return value;
}
