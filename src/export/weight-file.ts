import type { WeightBinding } from '../architecture/architecture.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { floatToHalf } from '../checkpoint/half.ts';
import { MismatchError } from '../errors.ts';
import { ExternalDataLayout, type PlacedTensor } from '../onnx/external-layout.ts';
import type { Initializer } from '../onnx/graph.ts';
import { QUANTISATION_BLOCK } from './dtypes.ts';
import { blockCount, quantiseBlocks } from './quantise.ts';

type FloatType = 'float32' | 'float16';

/** Rows of a tensor that are read and written at once, in bytes of float32. */
const CHUNK_BYTES = 16 << 20;

/** ONNX Runtime reads aligned tensors fastest; a cache line is enough where files are read rather than mapped. */
const ALIGNMENT = 64;

/** The tensors of one weight, in file order, and where their bytes come from. */
interface StoredWeight {
  readonly placed: readonly PlacedTensor[];
  chunks(checkpoint: Checkpoint): AsyncGenerator<Uint8Array, void, undefined>;
}

/** Initializers of a matrix [out, in] in blocks of MatMulNBits. */
export interface QuantisedInitializers {
  readonly values: Initializer;
  readonly scales: Initializer;
  readonly zeroPoints: Initializer;
}

/**
 * The external data file of a decoder: takes places for weights while the graph is built, and produces their bytes afterwards, one weight
 * in memory at a time.
 */
export class WeightFile {
  readonly #layout: ExternalDataLayout;
  readonly #weights: StoredWeight[] = [];

  /** `location` is the file's name as the graph refers to it, e.g. 'model.onnx_data'. */
  constructor(location: string) {
    this.#layout = new ExternalDataLayout(location, ALIGNMENT);
  }

  get location(): string {
    return this.#layout.location;
  }

  get byteLength(): number {
    return this.#layout.byteLength;
  }

  /** A tensor as the checkpoint has it: [rows, columns] or [size]. Large ones are read by ranges of rows. */
  rows(name: string, source: WeightBinding, dataType: FloatType): Initializer {
    return this.#store([[name, dataType, source.shape]], (checkpoint) => rowChunks(checkpoint, source, dataType))[0] as Initializer;
  }

  /** A matrix for MatMul: [in, out], the checkpoint's [out, in] transposed. */
  transposed(name: string, source: WeightBinding, dataType: FloatType): Initializer {
    const [outputs = 0, inputs = 0] = source.shape;
    return this.#store([[name, dataType, [inputs, outputs]]], async function* (checkpoint) {
      yield encodeFloats(transpose(await checkpoint.read(source.tensor, source.rows), outputs, inputs), dataType);
    })[0] as Initializer;
  }

  /** A matrix for MatMulNBits, quantised from float32 in blocks along its inputs. */
  quantised(name: string, source: WeightBinding, bits: 4 | 8, scaleType: FloatType): QuantisedInitializers {
    const [outputs = 0, inputs = 0] = source.shape;
    const blocks = blockCount(inputs, QUANTISATION_BLOCK);
    const tensors = [
      [`${name}_quantised`, 'uint8', [outputs, blocks, (QUANTISATION_BLOCK * bits) / 8]],
      [`${name}_scales`, scaleType, [outputs, blocks]],
      [`${name}_zero_points`, 'uint8', [outputs, Math.ceil((blocks * bits) / 8)]],
    ] as const;
    const [values, scales, zeroPoints] = this.#store(tensors, async function* (checkpoint) {
      const matrix = quantiseBlocks(await checkpoint.read(source.tensor, source.rows), inputs, bits, QUANTISATION_BLOCK);
      yield matrix.values;
      yield encodeFloats(matrix.scales, scaleType);
      yield matrix.zeroPoints;
    }) as [Initializer, Initializer, Initializer];
    return { values, scales, zeroPoints };
  }

  /** Values that are computed, not read: rotary tables. */
  computed(name: string, shape: readonly number[], dataType: FloatType, values: () => Float32Array): Initializer {
    return this.#store([[name, dataType, shape]], async function* () {
      yield encodeFloats(values(), dataType);
    })[0] as Initializer;
  }

  /** All bytes of the file in order, padding included. Throws like the checkpoint's reads, and MismatchError when a tensor is not as large as its config says. */
  async *chunks(checkpoint: Checkpoint): AsyncGenerator<Uint8Array, void, undefined> {
    let position = 0;
    for (const { placed, chunks } of this.#weights) {
      const pending = [...placed];
      let end = position;
      for await (const chunk of chunks(checkpoint)) {
        if (position === end) {
          const next = pending.shift();
          if (!next) throw new MismatchError(`More bytes were read for ${placed[0]?.name ?? 'a weight'} than were placed.`);
          if (next.offset > position) yield new Uint8Array(next.offset - position);
          position = next.offset;
          end = next.offset + next.length;
        }
        yield chunk;
        position += chunk.byteLength;
        if (position > end) throw new MismatchError(`${this.location}: a tensor of ${placed[0]?.name ?? 'a weight'} has more bytes than were placed for it.`);
      }
      if (position !== end || pending.length > 0)
        throw new MismatchError(`${this.location}: ${placed[0]?.name ?? 'a weight'} has fewer bytes than were placed for it.`);
    }
  }

  #store(
    tensors: readonly (readonly [name: string, dataType: FloatType | 'uint8', shape: readonly number[]])[],
    chunks: StoredWeight['chunks'],
  ): Initializer[] {
    const before = this.#layout.tensors.length;
    const initializers = tensors.map(([name, dataType, shape]) => this.#layout.place(name, dataType, shape));
    this.#weights.push({ placed: this.#layout.tensors.slice(before), chunks });
    return initializers;
  }
}

async function* rowChunks(checkpoint: Checkpoint, source: WeightBinding, dataType: FloatType): AsyncGenerator<Uint8Array, void, undefined> {
  const [rows = 1, ...rest] = source.shape;
  const rowBytes = rest.reduce((product, size) => product * size, 4);
  const step = Math.max(1, Math.floor(CHUNK_BYTES / rowBytes));
  const first = source.rows?.start ?? 0;
  if (!source.rows && step >= rows) yield encodeFloats(await checkpoint.read(source.tensor), dataType);
  else
    for (let start = 0; start < rows; start += step) {
      yield encodeFloats(await checkpoint.read(source.tensor, { start: first + start, end: first + Math.min(rows, start + step) }), dataType);
    }
}

/** [rows, columns] -> [columns, rows], by tiles that stay in the cache. */
export function transpose(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(matrix.length);
  const tile = 32;
  for (let top = 0; top < rows; top += tile) {
    const bottom = Math.min(rows, top + tile);
    for (let left = 0; left < columns; left += tile) {
      const right = Math.min(columns, left + tile);
      for (let row = top; row < bottom; row++) {
        for (let column = left; column < right; column++) result[column * rows + row] = matrix[row * columns + column] as number;
      }
    }
  }
  return result;
}

function encodeFloats(values: Float32Array, dataType: FloatType): Uint8Array {
  const array = dataType === 'float16' ? floatToHalf(values) : values;
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
