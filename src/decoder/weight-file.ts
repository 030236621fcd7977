import type { WeightBinding } from '../architecture/architecture.ts';
import { transpose } from '../arrays.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { floatToHalf } from '../checkpoint/half.ts';
import { MismatchError } from '../errors.ts';
import { ExternalDataLayout, type PlacedTensor } from '../onnx/external-layout.ts';
import type { Initializer } from '../onnx/graph.ts';
import { stackedWeightName, type WeightLayout, weightName } from '../onnx/weight-names.ts';
import { QUANTISATION_BLOCK } from './dtypes.ts';
import { groupBlocks } from './group-blocks.ts';
import { blockCount, quantiseBlocks } from './quantise.ts';
import type { QuantisedMatrices } from './quantised-matrices.ts';

type FloatType = 'float32' | 'float16';

/** Rows of a tensor that are read and written at once, in bytes of float32. */
const CHUNK_BYTES = 16 << 20;

/** ONNX Runtime reads aligned tensors fastest; a cache line is enough where files are read rather than mapped. */
const ALIGNMENT = 64;

/** The tensors of one weight, in file order, and where their bytes come from. */
interface StoredWeight {
  readonly placed: readonly PlacedTensor[];
  chunks(checkpoint: Checkpoint, kept?: QuantisedMatrices): AsyncGenerator<Uint8Array, void, undefined>;
}

/** An initializer and its name. */
export interface NamedInitializer {
  readonly name: string;
  readonly initializer: Initializer;
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
  plain(source: WeightBinding, dataType: FloatType): NamedInitializer {
    return this.#one(weightName({ ...source, layout: 'plain' }), dataType, source.shape, (checkpoint) =>
      rowChunks(checkpoint, source, dataType),
    );
  }

  /** A matrix for MatMul: [in, out], the checkpoint's [out, in] transposed; several are stacked by their outputs. */
  transposed(sources: readonly WeightBinding[], dataType: FloatType): NamedInitializer {
    const { outputs, inputs } = stackedShape(sources);
    return this.#one(nameOf(sources, 'transposed'), dataType, [inputs, outputs], async function* (checkpoint) {
      yield encodeFloats(transpose(await readStacked(checkpoint, sources), outputs), dataType);
    });
  }

  /** A matrix for MatMulNBits, quantised from float32 in blocks along its inputs: elements, scales and zero points; several are stacked by their outputs. */
  quantised(sources: readonly WeightBinding[], bits: 4 | 8, scaleType: FloatType): readonly NamedInitializer[] {
    const { inputs } = stackedShape(sources);
    return this.#store(blockTensors(sources, bits, scaleType), async function* (checkpoint, kept) {
      const matrix = quantiseBlocks(await readStacked(checkpoint, sources), inputs, bits, QUANTISATION_BLOCK);
      kept?.add(sources, bits, matrix);
      yield matrix.values;
      yield encodeFloats(matrix.scales, scaleType);
      yield matrix.zeroPoints;
    });
  }

  /** The same of weights that lie on grids of such blocks already, as they are; with remainders [blocks, out] (`GroupBlocks`). */
  grouped(sources: readonly WeightBinding[], bits: 4 | 8, scaleType: FloatType): readonly NamedInitializer[] {
    const { outputs, inputs } = stackedShape(sources);
    const remainders = [
      nameOf(sources, 'remainders'),
      scaleType,
      [blockCount(inputs, QUANTISATION_BLOCK), outputs],
    ] as const;
    return this.#store([...blockTensors(sources, bits, scaleType), remainders], async function* (checkpoint, kept) {
      const matrix = await groupBlocks(checkpoint, sources, bits);
      kept?.add(sources, bits, matrix);
      yield matrix.values;
      yield encodeFloats(matrix.scales, scaleType);
      yield matrix.zeroPoints;
      yield encodeFloats(matrix.remainders, scaleType);
    });
  }

  /** Biases [out], one after the other. */
  joined(sources: readonly WeightBinding[], dataType: FloatType): NamedInitializer {
    return this.#one(nameOf(sources, 'plain'), dataType, [stackedShape(sources).outputs], async function* (checkpoint) {
      yield encodeFloats(await readStacked(checkpoint, sources), dataType);
    });
  }

  /** Values that are computed, not read: rotary tables. */
  computed(name: string, shape: readonly number[], dataType: FloatType, values: () => Float32Array): NamedInitializer {
    return this.#one(name, dataType, shape, async function* () {
      yield encodeFloats(values(), dataType);
    });
  }

  /** All bytes of the file in order, padding included; `kept` gets the matrices that are rounded for it. Throws like the checkpoint's reads, and MismatchError when a tensor is not as large as its config says. */
  async *chunks(checkpoint: Checkpoint, kept?: QuantisedMatrices): AsyncGenerator<Uint8Array, void, undefined> {
    let position = 0;
    for (const { placed, chunks } of this.#weights) {
      const pending = [...placed];
      let end = position;
      for await (const chunk of chunks(checkpoint, kept)) {
        if (position === end) {
          const next = pending.shift();
          if (!next)
            throw new MismatchError(`More bytes were read for ${placed[0]?.name ?? 'a weight'} than were placed.`);
          if (next.offset > position) yield new Uint8Array(next.offset - position);
          position = next.offset;
          end = next.offset + next.length;
        }
        yield chunk;
        position += chunk.byteLength;
        if (position > end)
          throw new MismatchError(
            `${this.location}: a tensor of ${placed[0]?.name ?? 'a weight'} has more bytes than were placed for it.`,
          );
      }
      if (position !== end || pending.length > 0)
        throw new MismatchError(
          `${this.location}: ${placed[0]?.name ?? 'a weight'} has fewer bytes than were placed for it.`,
        );
    }
  }

  #one(name: string, dataType: FloatType, shape: readonly number[], chunks: StoredWeight['chunks']): NamedInitializer {
    return this.#store([[name, dataType, shape]], chunks)[0] as NamedInitializer;
  }

  #store(
    tensors: readonly (readonly [name: string, dataType: FloatType | 'uint8', shape: readonly number[]])[],
    chunks: StoredWeight['chunks'],
  ): NamedInitializer[] {
    const before = this.#layout.tensors.length;
    const placed = tensors.map(([name, dataType, shape]) => ({
      name,
      initializer: this.#layout.place(name, dataType, shape),
    }));
    this.#weights.push({ placed: this.#layout.tensors.slice(before), chunks });
    return placed;
  }
}

/** Elements, scales and zero points of a stacked matrix for MatMulNBits. */
function blockTensors(sources: readonly WeightBinding[], bits: 4 | 8, scaleType: FloatType) {
  const { outputs, inputs } = stackedShape(sources);
  const blocks = blockCount(inputs, QUANTISATION_BLOCK);
  return [
    [nameOf(sources, 'quantised'), 'uint8', [outputs, blocks, (QUANTISATION_BLOCK * bits) / 8]],
    [nameOf(sources, 'scales'), scaleType, [outputs, blocks]],
    [nameOf(sources, 'zero_points'), 'uint8', [outputs, Math.ceil((blocks * bits) / 8)]],
  ] as const;
}

async function* rowChunks(
  checkpoint: Checkpoint,
  source: WeightBinding,
  dataType: FloatType,
): AsyncGenerator<Uint8Array, void, undefined> {
  const [rows = 1, ...rest] = source.shape;
  const rowBytes = rest.reduce((product, size) => product * size, 4);
  const step = Math.max(1, Math.floor(CHUNK_BYTES / rowBytes));
  const first = source.rows?.start ?? 0;
  const offset = source.offset ?? 0;
  const encode = (values: Float32Array) =>
    encodeFloats(offset ? values.map((value) => value + offset) : values, dataType);
  if (!source.rows && step >= rows) yield encode(await checkpoint.read(source.tensor));
  else
    for (let start = 0; start < rows; start += step) {
      yield encode(
        await checkpoint.read(source.tensor, { start: first + start, end: first + Math.min(rows, start + step) }),
      );
    }
}

/** One weight under its name; several with the rows that each brings. */
export function nameOf(sources: readonly WeightBinding[], layout: WeightLayout): string {
  const [only] = sources;
  if (only && sources.length === 1) return weightName({ ...only, layout });
  const parts = sources.map(({ tensor, rows, shape }) => ({ tensor, rows: rows ?? { start: 0, end: shape[0] ?? 0 } }));
  return stackedWeightName(parts, layout);
}

/** Sizes of matrices [out, in] stacked by their outputs. */
export function stackedShape(sources: readonly WeightBinding[]): { readonly outputs: number; readonly inputs: number } {
  return { outputs: sources.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0), inputs: sources[0]?.shape[1] ?? 1 };
}

async function readStacked(checkpoint: Checkpoint, sources: readonly WeightBinding[]): Promise<Float32Array> {
  const [only] = sources;
  if (only && sources.length === 1) return checkpoint.read(only.tensor, only.rows);
  const { outputs, inputs } = stackedShape(sources);
  const stacked = new Float32Array(outputs * inputs);
  let offset = 0;
  for (const { tensor, rows } of sources) {
    const values = await checkpoint.read(tensor, rows);
    stacked.set(values, offset);
    offset += values.length;
  }
  return stacked;
}

function encodeFloats(values: Float32Array, dataType: FloatType): Uint8Array {
  const array = dataType === 'float16' ? floatToHalf(values) : values;
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
