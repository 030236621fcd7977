import { FileFormatError } from '../../../errors.ts';
import type { ByteSource } from '../../checkpoint.ts';

/** Contents up to this size stay in the skeleton. */
const SMALL = 4096;
const PIECE = 1 << 16;
/** Field numbers of onnx.proto. */
const MODEL_GRAPH = 7;
const GRAPH_INITIALIZER = 5;
const TENSOR_RAW_DATA = 9;
const TENSOR_EXTERNAL_DATA = 13;
const TENSOR_DATA_LOCATION = 14;
const EXTERNAL = 1;

/** One protobuf record: its field, and where tag and contents lie. */
interface Field {
  readonly number: number;
  readonly wireType: number;
  readonly start: number;
  readonly contents: number;
  readonly end: number;
}

/**
 * An ONNX file without its large weights: each initializer's raw contents become a reference to external data that lies in the file itself, under the
 * location `self`. So the graph can be read by the ordinary reader, and weights by ranges, without the whole file ever being in memory.
 * Throws FileFormatError for records that run past their parent.
 */
export async function onnxSkeleton(source: ByteSource, self: string): Promise<Uint8Array> {
  const reader = new RecordReader(source);
  const parts: Uint8Array[] = [];
  for await (const field of reader.fields(0, source.byteLength)) {
    if (field.number !== MODEL_GRAPH || field.wireType !== 2) parts.push(await source.read(field.start, field.end));
    else parts.push(record(MODEL_GRAPH, await graphSkeleton(source, reader, field, self)));
  }
  return concatenate(parts);
}

async function graphSkeleton(
  source: ByteSource,
  reader: RecordReader,
  graph: Field,
  self: string,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  // Runs of records that stay as they are are read at once.
  let kept = graph.contents;
  for await (const field of reader.fields(graph.contents, graph.end)) {
    if (field.number !== GRAPH_INITIALIZER || field.wireType !== 2 || field.end - field.start <= SMALL) continue;
    parts.push(
      await source.read(kept, field.start),
      record(GRAPH_INITIALIZER, await tensorSkeleton(source, reader, field, self)),
    );
    kept = field.end;
  }
  parts.push(await source.read(kept, graph.end));
  return concatenate(parts);
}

async function tensorSkeleton(
  source: ByteSource,
  reader: RecordReader,
  tensor: Field,
  self: string,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let raw: Field | undefined;
  let location: Uint8Array | undefined;
  for await (const field of reader.fields(tensor.contents, tensor.end)) {
    if (field.number === TENSOR_RAW_DATA && field.wireType === 2) raw = field;
    else if (field.number === TENSOR_DATA_LOCATION) location = await source.read(field.start, field.end);
    else parts.push(await source.read(field.start, field.end));
  }
  if (!raw) return concatenate([...parts, ...(location ? [location] : [])]);
  // Of a field that is there twice the last counts; writers set the place of the data before or after it, to "inside".
  const entries = { location: self, offset: String(raw.contents), length: String(raw.end - raw.contents) };
  for (const [key, value] of Object.entries(entries))
    parts.push(record(TENSOR_EXTERNAL_DATA, concatenate([record(1, utf8(key)), record(2, utf8(value))])));
  parts.push(concatenate([varint(TENSOR_DATA_LOCATION << 3), varint(EXTERNAL)]));
  return concatenate(parts);
}

/** Walks protobuf records of a source, reading only tags and lengths, a piece at a time. */
class RecordReader {
  readonly #source: ByteSource;
  #piece: Uint8Array = new Uint8Array();
  #pieceStart = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  async *fields(start: number, end: number): AsyncGenerator<Field> {
    for (let position = start; position < end; ) {
      const tag = await this.#varint(position, end);
      const [number, wireType] = [Math.floor(tag.value / 8), tag.value % 8];
      const body = await this.#body(wireType, tag.next, end);
      if (number === 0 || body.end > end) this.#fail(position, end);
      yield { number, wireType, start: position, contents: body.start, end: body.end };
      position = body.end;
    }
  }

  async #body(wireType: number, position: number, end: number): Promise<{ start: number; end: number }> {
    if (wireType === 0) return { start: position, end: (await this.#varint(position, end)).next };
    if (wireType === 1) return { start: position, end: position + 8 };
    if (wireType === 5) return { start: position, end: position + 4 };
    if (wireType !== 2) this.#fail(position, end);
    const length = await this.#varint(position, end);
    return { start: length.next, end: length.next + length.value };
  }

  async #varint(position: number, end: number): Promise<{ value: number; next: number }> {
    let value = 0;
    for (let i = 0; i < 10 && position + i < end; i += 1) {
      const byte = await this.#byte(position + i);
      value += (byte & 127) * 2 ** (7 * i);
      if (byte < 128)
        return Number.isSafeInteger(value) ? { value, next: position + i + 1 } : this.#fail(position, end);
    }
    return this.#fail(position, end);
  }

  async #byte(position: number): Promise<number> {
    if (position < this.#pieceStart || position >= this.#pieceStart + this.#piece.length) {
      this.#piece = await this.#source.read(position, Math.min(position + PIECE, this.#source.byteLength));
      this.#pieceStart = position;
    }
    return this.#piece[position - this.#pieceStart] as number;
  }

  #fail(position: number, end: number): never {
    throw new FileFormatError(
      `${this.#source.name} is no whole ONNX file: the record at byte ${position} does not fit into the ${end - position} bytes that are left for it.`,
    );
  }
}

const utf8 = (text: string) => new TextEncoder().encode(text);

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return Uint8Array.of(...bytes, rest);
}

function record(number: number, contents: Uint8Array): Uint8Array {
  return concatenate([varint(number * 8 + 2), varint(contents.length), contents]);
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    whole.set(part, position);
    position += part.length;
  }
  return whole;
}
