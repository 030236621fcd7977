/** A metadata entry of a GGUF file. */
export type GgufEntry =
  | { readonly key: string; readonly kind: 'uint32' | 'float32'; readonly value: number }
  | { readonly key: string; readonly kind: 'boolean'; readonly value: boolean }
  | { readonly key: string; readonly kind: 'string'; readonly value: string }
  | { readonly key: string; readonly kind: 'int32[]' | 'float32[]'; readonly value: readonly number[] }
  | { readonly key: string; readonly kind: 'string[]'; readonly value: readonly string[] };

/** A tensor to write; `chunks` gives exactly `byteLength` bytes. */
export interface GgufTensorEntry {
  readonly name: string;
  /** Slowest axis first; the file has them the other way round. */
  readonly shape: readonly number[];
  /** ggml's number of the storage type. */
  readonly code: number;
  readonly byteLength: number;
  chunks(): AsyncIterable<Uint8Array>;
}

export interface GgufFile {
  readonly byteLength: number;
  chunks(): AsyncIterable<Uint8Array>;
}

const MAGIC = 0x46554747;
const VERSION = 3;
const ALIGNMENT = 32;
const TYPES = { uint32: 4, int32: 5, float32: 6, boolean: 7, string: 8, array: 9 } as const;

/**
 * A GGUF file of version 3 (ggml's docs/gguf.md): header, metadata in the order given, tensors in the order given at multiples of 32 bytes. It is streamed: only the header
 * and one chunk are in memory.
 */
export function ggufFile(metadata: readonly GgufEntry[], tensors: readonly GgufTensorEntry[]): GgufFile {
  const writer = new HeaderWriter();
  writer.uint32(MAGIC);
  writer.uint32(VERSION);
  writer.uint64(tensors.length);
  writer.uint64(metadata.length);
  for (const entry of metadata) writer.entry(entry);
  let offset = 0;
  for (const { name, shape, code, byteLength } of tensors) {
    writer.string(name);
    writer.uint32(shape.length);
    for (const size of [...shape].reverse()) writer.uint64(size);
    writer.uint32(code);
    writer.uint64(offset);
    offset += aligned(byteLength);
  }
  const header = writer.bytes();
  return {
    byteLength: aligned(header.byteLength) + offset,
    async *chunks() {
      yield header;
      yield padding(header.byteLength);
      for (const tensor of tensors) {
        yield* tensor.chunks();
        yield padding(tensor.byteLength);
      }
    },
  };
}

const aligned = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
const padding = (bytes: number) => new Uint8Array(aligned(bytes) - bytes);

/** Little-endian fields one after the other, in memory that grows. */
class HeaderWriter {
  #bytes = new Uint8Array(1 << 16);
  #length = 0;
  readonly #encoder = new TextEncoder();

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  uint32(value: number): void {
    this.#view(4).setUint32(0, value, true);
  }

  uint64(value: number): void {
    this.#view(8).setBigUint64(0, BigInt(value), true);
  }

  string(text: string): void {
    const bytes = this.#encoder.encode(text);
    this.uint64(bytes.length);
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
  }

  entry(entry: GgufEntry): void {
    this.string(entry.key);
    switch (entry.kind) {
      case 'uint32':
        this.uint32(TYPES.uint32);
        this.uint32(entry.value);
        break;
      case 'float32':
        this.uint32(TYPES.float32);
        this.#view(4).setFloat32(0, entry.value, true);
        break;
      case 'boolean':
        this.uint32(TYPES.boolean);
        this.#view(1).setUint8(0, entry.value ? 1 : 0);
        break;
      case 'string':
        this.uint32(TYPES.string);
        this.string(entry.value);
        break;
      case 'int32[]':
        this.#array(TYPES.int32, entry.value, (value) => this.#view(4).setInt32(0, value, true));
        break;
      case 'float32[]':
        this.#array(TYPES.float32, entry.value, (value) => this.#view(4).setFloat32(0, value, true));
        break;
      case 'string[]':
        this.#array(TYPES.string, entry.value, (value) => this.string(value));
        break;
    }
  }

  #array<Value>(type: number, values: readonly Value[], write: (value: Value) => void): void {
    this.uint32(TYPES.array);
    this.uint32(type);
    this.uint64(values.length);
    for (const value of values) write(value);
  }

  #view(bytes: number): DataView {
    const at = this.#reserve(bytes);
    return new DataView(this.#bytes.buffer, at, bytes);
  }

  #reserve(bytes: number): number {
    const at = this.#length;
    this.#length += bytes;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
    }
    return at;
  }
}
