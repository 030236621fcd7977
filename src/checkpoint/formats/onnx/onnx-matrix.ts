import { elementCount } from '../../../arrays.ts';
import { MismatchError } from '../../../errors.ts';
import type { Initializer } from '../../../onnx/graph.ts';
import { decodeElements, elementBytes } from '../../elements.ts';
import { quote, type RowRange } from '../../weights.ts';

/** How an ONNX graph stores a canonical tensor of `shape` [out, in] or [size]. */
export type OnnxStorage =
  /** As it is. */
  | { readonly kind: 'plain'; readonly name: string }
  /** [in, out], for MatMul. */
  | { readonly kind: 'transposed'; readonly name: string }
  /** Blocks of `block` codes along the inputs with a scale each, and a zero point each or one for all (MatMulNBits, GatherBlockQuantized). */
  | {
      readonly kind: 'blocks';
      readonly name: string;
      readonly scales: string;
      readonly zeroPoints: string | undefined;
      /** Added to every value of a block, [blocks, out]. */
      readonly remainders?: string;
      readonly bits: 4 | 8;
      readonly block: number;
    };

/** Rows of what is stored that are rows of a canonical tensor: all of them, or some of a packed projection. */
export interface OnnxPart {
  readonly storage: OnnxStorage;
  readonly firstRow: number;
  readonly rows: number;
  /** Rows of what is stored. */
  readonly storedRows: number;
}

export interface OnnxTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** One after the other they make the tensor. */
  readonly parts: readonly OnnxPart[];
  /** Taken off every value: our exports of Gemma store norms with the 1 that its formula adds. */
  readonly offset: number;
}

const STORAGE_NAMES: Readonly<Partial<Record<Initializer['dataType'], string>>> = {
  float32: 'F32',
  float16: 'F16',
  float64: 'F64',
  int8: 'I8',
  uint8: 'U8',
  int32: 'I32',
};

/** Element type by safetensors' names, as `decodeElements` wants it. */
export function storageName({ dataType }: Initializer): string {
  return STORAGE_NAMES[dataType] ?? dataType;
}

/** What reading needs: the graph's constants, and their contents. */
export interface OnnxContents {
  readonly initializers: ReadonlyMap<string, Initializer>;
  /** Contents of an initializer, or bytes [start, end) of them. */
  readonly read: (name: string, start?: number, end?: number) => Promise<Uint8Array>;
}

/** Rows of a tensor as float32. Throws MismatchError when what is stored does not fit together. */
export async function readOnnxTensor(
  tensor: OnnxTensor,
  rows: RowRange,
  contents: OnnxContents,
): Promise<Float32Array> {
  const columns = elementCount(tensor.shape.slice(1));
  const result = new Float32Array((rows.end - rows.start) * columns);
  let partStart = 0;
  for (const part of tensor.parts) {
    const start = Math.max(rows.start, partStart);
    const end = Math.min(rows.end, partStart + part.rows);
    if (start < end) {
      const shift = part.firstRow - partStart;
      const values = await readPart(part, columns, { start: start + shift, end: end + shift }, contents);
      result.set(values, (start - rows.start) * columns);
    }
    partStart += part.rows;
  }
  if (tensor.offset !== 0) for (let i = 0; i < result.length; i += 1) result[i] = (result[i] as number) - tensor.offset;
  return result;
}

async function readPart(
  { storage, storedRows }: OnnxPart,
  columns: number,
  { start, end }: RowRange,
  contents: OnnxContents,
): Promise<Float32Array> {
  if (storage.kind === 'blocks') return readBlocks(storage, columns, storedRows, { start, end }, contents);
  const type = storageName(initializerOf(contents.initializers, storage.name));
  if (storage.kind === 'transposed')
    return transposeColumns(decodeElements(type, await contents.read(storage.name), storage.name), storedRows, {
      start,
      end,
    });
  const rowBytes = columns * (elementBytes(type) ?? 1);
  return decodeElements(type, await contents.read(storage.name, start * rowBytes, end * rowBytes), storage.name);
}

export function initializerOf(initializers: ReadonlyMap<string, Initializer>, name: string): Initializer {
  const initializer = initializers.get(name);
  if (!initializer)
    throw new MismatchError(
      `The ONNX graph has no tensor ${quote(name)} where a constant weight is expected. Take the model's safetensors or GGUF.`,
    );
  return initializer;
}

/** Columns [start, end) of [in, out] as rows [end - start, in]. */
function transposeColumns(stored: Float32Array, outputs: number, { start, end }: RowRange): Float32Array {
  const inputs = stored.length / outputs;
  const result = new Float32Array((end - start) * inputs);
  for (let row = start; row < end; row += 1) {
    for (let column = 0; column < inputs; column += 1)
      result[(row - start) * inputs + column] = stored[column * outputs + row] as number;
  }
  return result;
}

type Blocks = Extract<OnnxStorage, { kind: 'blocks' }>;

/** value = scale * (code - zero point); 4-bit codes lie two to a byte, low half first; rows begin at whole bytes. */
async function readBlocks(
  { name, scales, zeroPoints, remainders, bits, block }: Blocks,
  columns: number,
  outputs: number,
  { start, end }: RowRange,
  { initializers, read }: OnnxContents,
): Promise<Float32Array> {
  const perRow = Math.ceil(columns / block);
  const codes = new CodeRows(await read(name), bits, elementCount(initializerOf(initializers, name).shape) / outputs);
  const scaleOf = decodeElements(storageName(initializerOf(initializers, scales)), await read(scales), scales);
  const zeroOf = await readZeroPoints(zeroPoints, bits, perRow, outputs, { initializers, read });
  const left =
    remainders === undefined
      ? undefined
      : decodeElements(storageName(initializerOf(initializers, remainders)), await read(remainders), remainders);
  const codesPerRow = codes.bytesPerRow * (8 / bits);
  if (scaleOf.length !== outputs * perRow || codesPerRow < columns || (left && left.length !== scaleOf.length)) {
    throw new MismatchError(
      `The quantised tensor ${quote(name)} has ${codesPerRow} codes a row and ${scaleOf.length} scales, which do not fit ${outputs} rows of ${columns} values.`,
    );
  }
  const result = new Float32Array((end - start) * columns);
  for (let row = start; row < end; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const group = Math.floor(column / block);
      result[(row - start) * columns + column] =
        (scaleOf[row * perRow + group] as number) * (codes.at(row, column) - zeroOf(row, group)) +
        (left?.[group * outputs + row] ?? 0);
    }
  }
  return result;
}

class CodeRows {
  readonly bytesPerRow: number;
  readonly #bytes: Uint8Array;
  readonly #bits: 4 | 8;

  constructor(bytes: Uint8Array, bits: 4 | 8, bytesPerRow: number) {
    this.#bytes = bytes;
    this.#bits = bits;
    this.bytesPerRow = bytesPerRow;
  }

  at(row: number, index: number): number {
    const base = row * this.bytesPerRow;
    if (this.#bits === 8) return this.#bytes[base + index] as number;
    const pair = this.#bytes[base + (index >> 1)] as number;
    return index & 1 ? pair >> 4 : pair & 15;
  }
}

/** Zero points are packed like codes, one per block, or stored in the scales' type; without any it is the middle of the range. */
async function readZeroPoints(
  name: string | undefined,
  bits: 4 | 8,
  perRow: number,
  outputs: number,
  { initializers, read }: OnnxContents,
): Promise<(row: number, group: number) => number> {
  if (name === undefined) return () => 2 ** (bits - 1);
  const initializer = initializerOf(initializers, name);
  const bytes = await read(name);
  if (initializer.dataType !== 'uint8') {
    const values = decodeElements(storageName(initializer), bytes, name);
    return (row, group) => values[row * perRow + group] as number;
  }
  const packed = Math.ceil((perRow * bits) / 8);
  if (bytes.length !== packed * outputs)
    throw new MismatchError(
      `The zero points ${quote(name)} have ${bytes.length} bytes; ${outputs} rows of ${perRow} blocks need ${packed * outputs}.`,
    );
  const rows = new CodeRows(bytes, bits, packed);
  return (row, group) => rows.at(row, group);
}
