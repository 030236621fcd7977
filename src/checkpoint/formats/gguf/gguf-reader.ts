import { FileFormatError } from '../../../errors.ts';
import type { ByteSource } from '../../checkpoint.ts';

/** A metadata value. Arrays of numbers and booleans are typed arrays (64-bit integers as float64: beyond 2^53 they are refused). */
export type GgufValue =
  | number
  | boolean
  | string
  | Float64Array
  | Float32Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array
  | readonly GgufValue[];

const PIECE = 1 << 20;
const DEEPEST_ARRAY = 4;
const STRING = 8;
const ARRAY = 9;

/** Fixed-size value types: bytes and how to read one. */
const SCALARS: ReadonlyMap<
  number,
  {
    readonly bytes: number;
    readonly array: (count: number) => Exclude<GgufValue, number | boolean | string | readonly GgufValue[]>;
    readonly read: (view: DataView, at: number) => number;
  }
> = new Map([
  [0, { bytes: 1, array: (n) => new Uint8Array(n), read: (view, at) => view.getUint8(at) }],
  [1, { bytes: 1, array: (n) => new Int8Array(n), read: (view, at) => view.getInt8(at) }],
  [2, { bytes: 2, array: (n) => new Uint16Array(n), read: (view, at) => view.getUint16(at, true) }],
  [3, { bytes: 2, array: (n) => new Int16Array(n), read: (view, at) => view.getInt16(at, true) }],
  [4, { bytes: 4, array: (n) => new Uint32Array(n), read: (view, at) => view.getUint32(at, true) }],
  [5, { bytes: 4, array: (n) => new Int32Array(n), read: (view, at) => view.getInt32(at, true) }],
  [6, { bytes: 4, array: (n) => new Float32Array(n), read: (view, at) => view.getFloat32(at, true) }],
  [7, { bytes: 1, array: (n) => new Uint8Array(n), read: (view, at) => view.getUint8(at) }],
  [10, { bytes: 8, array: (n) => new Float64Array(n), read: (view, at) => Number(view.getBigUint64(at, true)) }],
  [11, { bytes: 8, array: (n) => new Float64Array(n), read: (view, at) => Number(view.getBigInt64(at, true)) }],
  [12, { bytes: 8, array: (n) => new Float64Array(n), read: (view, at) => view.getFloat64(at, true) }],
]);
const BOOLEAN = 7;

/** Reads little-endian GGUF values one after the other, a piece of the file at a time; never asks for memory that the rest of the file cannot fill. */
export class GgufReader {
  readonly #source: ByteSource;
  readonly #decoder = new TextDecoder();
  #piece: Uint8Array = new Uint8Array();
  #view: DataView = new DataView(new ArrayBuffer(0));
  #pieceStart = 0;
  /** Absolute position of the next byte. */
  position = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  async u32(): Promise<number> {
    const at = await this.#take(4, 'a 32-bit number');
    return this.#view.getUint32(at, true);
  }

  /** An unsigned 64-bit integer below 2^53. */
  async u64(what: string): Promise<number> {
    const at = await this.#take(8, what);
    const value = Number(this.#view.getBigUint64(at, true));
    if (!Number.isSafeInteger(value))
      throw new FileFormatError(
        `${this.#source.name}: ${what} is ${value}, more than 2^53; the header is damaged. Fetch the file again.`,
      );
    return value;
  }

  /** A number of entries of which each takes at least `smallest` bytes. */
  async count(what: string, smallest: number): Promise<number> {
    const value = await this.u64(what);
    const rest = this.#source.byteLength - this.position;
    if (value * smallest > rest)
      throw new FileFormatError(
        `${this.#source.name} is truncated or damaged: its ${what} is ${value}, and only ${rest} bytes follow. Fetch it again.`,
      );
    return value;
  }

  async string(what: string): Promise<string> {
    const length = await this.u64(`the length of ${what}`);
    const at = await this.#take(length, what);
    return this.#decoder.decode(this.#piece.subarray(at, at + length));
  }

  /** A value of a GGUF type, named `what` in errors. */
  async value(type: number, what: string, depth = 0): Promise<GgufValue> {
    const scalar = SCALARS.get(type);
    if (scalar) {
      const at = await this.#take(scalar.bytes, what);
      const value = scalar.read(this.#view, at);
      return type === BOOLEAN ? value !== 0 : this.#checkInteger(value, type, what);
    }
    if (type === STRING) return this.string(what);
    if (type !== ARRAY)
      throw new FileFormatError(
        `${this.#source.name}: metadata entry ${what} has the unknown type ${type}; the header is damaged. Fetch the file again.`,
      );
    if (depth === DEEPEST_ARRAY)
      throw new FileFormatError(
        `${this.#source.name}: metadata entry ${what} has arrays nested more than ${DEEPEST_ARRAY} deep. Take another GGUF file of the model.`,
      );
    return this.#array(await this.u32(), what, depth);
  }

  async #array(type: number, what: string, depth: number): Promise<GgufValue> {
    const scalar = SCALARS.get(type);
    const count = await this.count(`length of ${what}`, scalar?.bytes ?? (type === STRING ? 8 : 12));
    if (!scalar) {
      const values: GgufValue[] = [];
      for (let i = 0; i < count; i += 1) values.push(await this.value(type, what, depth + 1));
      return values;
    }
    const at = await this.#take(count * scalar.bytes, what);
    const values = scalar.array(count);
    for (let i = 0; i < count; i += 1)
      values[i] = this.#checkInteger(scalar.read(this.#view, at + i * scalar.bytes), type, what);
    return values;
  }

  #checkInteger(value: number, type: number, what: string): number {
    if ((type === 10 || type === 11) && !Number.isSafeInteger(value))
      throw new FileFormatError(
        `${this.#source.name}: metadata entry ${what} is ${value}, beyond 2^53. Take another GGUF file of the model.`,
      );
    return value;
  }

  /** Makes the next `length` bytes available and passes them. Returns where they begin in the piece. */
  async #take(length: number, what: string): Promise<number> {
    const end = this.position + length;
    if (end > this.#source.byteLength) {
      throw new FileFormatError(
        `${this.#source.name} is truncated or damaged: ${what} needs ${length} bytes at ${this.position}, and the file has ${this.#source.byteLength}.`,
      );
    }
    if (end > this.#pieceStart + this.#piece.length) {
      this.#piece = await this.#source.read(
        this.position,
        Math.min(this.#source.byteLength, Math.max(end, this.position + PIECE)),
      );
      this.#view = new DataView(this.#piece.buffer, this.#piece.byteOffset, this.#piece.byteLength);
      this.#pieceStart = this.position;
    }
    const at = this.position - this.#pieceStart;
    this.position = end;
    return at;
  }
}
