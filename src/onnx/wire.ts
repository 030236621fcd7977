import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { FileFormatError } from '../errors.ts';

/** Messages inside messages; ONNX without nested graphs needs about eight. */
const DEEPEST_NESTING = 64;

/** Rough bytes of memory per decoded thing. They need only be right within a small factor. */
const MESSAGE_BYTES = 512;
const BYTES_VIEW_BYTES = 200;
const BIGINT_BYTES = 32;
const NUMBER_BYTES = 8;

/** Decoding may take this much memory, plus a multiple of the file's own size. */
const FREE_BYTES = 2 ** 27;
const BYTES_PER_FILE_BYTE = 16;

/**
 * Walks the protobuf records of `bytes` without decoding them, and throws FileFormatError unless each lies within its parent, has the wire
 * type that `schema` gives it, and decoding would take a reasonable amount of memory (two bytes of a hostile file can stand for an object of
 * hundreds). After this check the decoder's work is bounded by the length of the file. Raw contents are skipped, not read.
 */
export function checkWireFormat(schema: DescMessage, bytes: Uint8Array): void {
  const budget = FREE_BYTES + BYTES_PER_FILE_BYTE * bytes.byteLength;
  const reader = new BinaryReader(bytes);
  let cost = 0;

  const spend = (amount: number): void => {
    cost += amount;
    if (cost > budget)
      throw new FileFormatError(
        `The file of ${bytes.byteLength} bytes describes more objects than a model needs (about ${cost} bytes of memory).`,
      );
  };

  const walk = (message: DescMessage, end: number, depth: number): void => {
    if (depth > DEEPEST_NESTING)
      throw new FileFormatError(`The file nests messages deeper than ${DEEPEST_NESTING} levels at byte ${reader.pos}.`);
    spend(MESSAGE_BYTES);
    const fields = fieldsOf(message);
    while (reader.pos < end) {
      const start = reader.pos;
      const [number, wireType] = reader.tag();
      const field = fields.get(number);
      if (field && !mayHave(field, wireType))
        throw new FileFormatError(
          `The field ${field.name} of ${message.name} at byte ${start} has the wrong wire type ${wireType}.`,
        );
      if (wireType === WireType.LengthDelimited) {
        const length = reader.uint32();
        if (length > end - reader.pos)
          throw new FileFormatError(
            `The record at byte ${start} says that it is ${length} bytes long, but ${Math.max(0, end - reader.pos)} remain. The file is truncated or damaged.`,
          );
        if (field?.message) walk(field.message, reader.pos + length, depth + 1);
        else {
          if (field) spend(lengthDelimitedCost(field, length));
          reader.pos += length;
        }
      } else {
        reader.skip(wireType, number);
        if (field?.fieldKind === 'list') spend(elementCost(field));
      }
      if (reader.pos > end)
        throw new FileFormatError(
          `The record at byte ${start} runs past the end of its message. The file is truncated or damaged.`,
        );
    }
  };

  try {
    walk(schema, bytes.byteLength, 0);
  } catch (cause) {
    if (cause instanceof FileFormatError) throw cause;
    throw new FileFormatError(
      `The file is no ONNX model: its protobuf records cannot be read at byte ${reader.pos} of ${bytes.byteLength}.`,
      { cause },
    );
  }
}

const FIELDS = new WeakMap<DescMessage, ReadonlyMap<number, DescField>>();

function fieldsOf(message: DescMessage): ReadonlyMap<number, DescField> {
  let fields = FIELDS.get(message);
  if (!fields) {
    fields = new Map(message.fields.map((field) => [field.number, field]));
    FIELDS.set(message, fields);
  }
  return fields;
}

/** Numbers in a list may be packed into one record or come as one record each; everything else has one form. */
function mayHave(field: DescField, wireType: WireType): boolean {
  const single = singleWireType(field);
  const packable = field.fieldKind === 'list' && single !== WireType.LengthDelimited;
  return wireType === single || (packable && wireType === WireType.LengthDelimited);
}

function singleWireType(field: DescField): WireType {
  if (field.message) return WireType.LengthDelimited;
  switch (field.scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LengthDelimited;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return WireType.Bit32;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return WireType.Bit64;
    default:
      return WireType.Varint;
  }
}

function lengthDelimitedCost(field: DescField, length: number): number {
  if (field.scalar === ScalarType.BYTES) return BYTES_VIEW_BYTES;
  if (field.scalar === ScalarType.STRING) return BIGINT_BYTES + 2 * length;
  const smallest = { [WireType.Bit32]: 4, [WireType.Bit64]: 8 }[singleWireType(field) as number] ?? 1;
  return Math.ceil(length / smallest) * elementCost(field);
}

function elementCost(field: DescField): number {
  return field.scalar === ScalarType.INT64 || field.scalar === ScalarType.UINT64 ? BIGINT_BYTES : NUMBER_BYTES;
}
