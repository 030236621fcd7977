import { FileFormatError, UnsupportedError } from '../../../errors.ts';
import type { ByteSource } from '../../checkpoint.ts';
import { placeholder } from '../../files/placeholder.ts';
import { quote } from '../../weights.ts';
import { BLOCK_FORMATS, type BlockFormat, OTHER_GGML_TYPES } from './dequantize.ts';
import { GgufReader, type GgufValue } from './gguf-reader.ts';

export interface GgufTensor {
  readonly name: string;
  readonly format: BlockFormat;
  /** Slowest axis first, as everywhere here; the file has them the other way round. */
  readonly shape: readonly number[];
  /** Absolute byte range in the file. */
  readonly start: number;
  readonly end: number;
}

export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

const MAGIC = 0x46554747;
const LARGEST_RANK = 4;
/** An entry of the tensor list has at least a name length, a rank, one size, a type and an offset. */
const SMALLEST_TENSOR_ENTRY = 24;
const SMALLEST_METADATA_ENTRY = 13;

/**
 * Reads and checks the header of a GGUF file (version 2 or 3): only the header is read, in pieces, and nothing is allocated from a number in it that the
 * file's real size does not allow.
 *
 * Hand-written because @huggingface/gguf 0.4 reads from URLs and paths only, fills what a truncated file lacks with zeros and reads those as entries, and
 * brings 230 kB of task descriptions along; a test holds this reader against it.
 * Throws FileFormatError, or UnsupportedError for other versions, byte orders and quantisations.
 */
export async function readGgufHeader(source: ByteSource): Promise<GgufHeader> {
  const file = source.name;
  const reader = new GgufReader(source);
  if ((await reader.u32()) !== MAGIC)
    throw new FileFormatError(
      (await placeholder(source)) ?? `${file} is not a GGUF file: it does not begin with "GGUF". Fetch it again.`,
    );
  const version = await reader.u32();
  if (version === 0x02000000 || version === 0x03000000)
    throw new UnsupportedError(`${file} is a big-endian GGUF file. Convert it to little-endian.`);
  if (version !== 2 && version !== 3)
    throw new UnsupportedError(
      `${file} is of GGUF version ${version}; versions 2 and 3 are supported. Convert it with a current llama.cpp.`,
    );
  const tensorCount = await reader.count('tensor count', SMALLEST_TENSOR_ENTRY);
  const metadataCount = await reader.count('metadata count', SMALLEST_METADATA_ENTRY);
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < metadataCount; i += 1) {
    const key = await reader.string(`the name of metadata entry ${i}`);
    if (metadata.has(key))
      throw new FileFormatError(
        `${file} has the metadata entry ${quote(key)} twice. Take another GGUF file of the model.`,
      );
    metadata.set(key, await reader.value(await reader.u32(), quote(key)));
  }
  const entries: TensorEntry[] = [];
  for (let i = 0; i < tensorCount; i += 1) entries.push(await readEntry(reader, file, i));
  const alignment = metadata.get('general.alignment') ?? 32;
  if (typeof alignment !== 'number' || alignment < 1 || alignment > 65536 || (alignment & (alignment - 1)) !== 0) {
    throw new FileFormatError(
      `${file}: "general.alignment" is ${String(alignment)}; it is a power of two up to 65536. Take another GGUF file of the model.`,
    );
  }
  const dataStart = Math.ceil(reader.position / alignment) * alignment;
  const tensors = new Map<string, GgufTensor>();
  for (const { name, format, shape, offset, byteLength } of entries) {
    if (tensors.has(name))
      throw new FileFormatError(`${file} has the tensor ${quote(name)} twice. Take another GGUF file of the model.`);
    if (offset % alignment !== 0)
      throw new FileFormatError(
        `${file}: tensor ${quote(name)} begins at ${offset}, which is no multiple of the alignment ${alignment}.`,
      );
    const start = dataStart + offset;
    if (start + byteLength > source.byteLength) {
      throw new FileFormatError(
        `${file} is truncated: tensor ${quote(name)} ends at byte ${start + byteLength}, and the file has ${source.byteLength}. Fetch it again.`,
      );
    }
    tensors.set(name, { name, format, shape, start, end: start + byteLength });
  }
  return { metadata, tensors };
}

interface TensorEntry {
  readonly name: string;
  readonly format: BlockFormat;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly byteLength: number;
}

async function readEntry(reader: GgufReader, file: string, index: number): Promise<TensorEntry> {
  const name = await reader.string(`the name of tensor ${index}`);
  const rank = await reader.u32();
  if (rank > LARGEST_RANK)
    throw new FileFormatError(`${file}: tensor ${quote(name)} has ${rank} axes; at most ${LARGEST_RANK} are possible.`);
  const shape: number[] = [];
  let elements = 1;
  for (let axis = 0; axis < rank; axis += 1) {
    const size = await reader.u64(`a size of ${quote(name)}`);
    shape.unshift(size);
    elements *= size;
  }
  const type = await reader.u32();
  const offset = await reader.u64(`the offset of ${quote(name)}`);
  const format = BLOCK_FORMATS.get(type);
  if (!format) {
    const supported = [...BLOCK_FORMATS.values()].map((each) => each.name).join(', ');
    throw new UnsupportedError(
      `${file}: tensor ${quote(name)} is stored as ${OTHER_GGML_TYPES.get(type) ?? `type ${type}`}; supported are ${supported}. Take a Q4_K_M, Q8_0 or F16 file of the model.`,
    );
  }
  const row = shape.at(-1) ?? 1;
  if (row % format.elements !== 0) {
    throw new FileFormatError(
      `${file}: tensor ${quote(name)} has rows of ${row} values, no multiple of the ${format.elements} of a ${format.name} block.`,
    );
  }
  const byteLength = (elements / format.elements) * format.bytes;
  if (!Number.isSafeInteger(elements) || !Number.isSafeInteger(byteLength))
    throw new FileFormatError(
      `${file}: tensor ${quote(name)} claims more than 2^53 values. Take another GGUF file of the model.`,
    );
  return { name, format, shape, offset, byteLength };
}
