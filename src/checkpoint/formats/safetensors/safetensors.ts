import { FileFormatError, MismatchError, UnsupportedError } from '../../../errors.ts';
import type { ByteSource, TensorInfo } from '../../checkpoint.ts';
import { decodeElements, elementBytes } from '../../elements.ts';
import { isRecord, parseJsonRecord } from '../../files/json.ts';
import { placeholder } from '../../files/placeholder.ts';
import { checkedElementCount, elementRange, missingTensor, quote, type RowRange, type Weights } from '../../weights.ts';

/** The format's own limit on the JSON header. */
const LARGEST_HEADER = 100_000_000;

export interface SafetensorsEntry {
  readonly info: TensorInfo;
  /** Absolute byte range in the file. */
  readonly start: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  /** The `__metadata__` strings. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
}

/**
 * Reads and checks the header: sizes agree with shapes, and the tensors cover the file from the header to its end without gap or overlap,
 * as the format demands. Nothing but the header is read. Throws FileFormatError, or UnsupportedError for an unknown element type.
 */
export async function readSafetensorsHeader(source: ByteSource): Promise<SafetensorsHeader> {
  const file = source.name;
  const prefix = await source.read(0, 8);
  const headerLength = Number(new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true));
  if (headerLength > source.byteLength - 8 || headerLength > LARGEST_HEADER) {
    const found = await placeholder(source);
    throw new FileFormatError(
      found ??
        `${file} is not a whole safetensors file: it claims a header of ${headerLength} bytes and has ${source.byteLength} in all. Fetch it again.`,
    );
  }
  const header = parseJsonRecord(await source.read(8, 8 + headerLength), `the header of ${file}`);
  const metadata: Record<string, string> = {};
  const entries: SafetensorsEntry[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name !== '__metadata__') entries.push(readEntry(file, name, value, 8 + headerLength));
    else if (isRecord(value))
      for (const [key, text] of Object.entries(value)) if (typeof text === 'string') metadata[key] = text;
  }
  entries.sort((a, b) => a.start - b.start || a.end - b.end);
  let position = 8 + headerLength;
  for (const { info, start, end } of entries) {
    if (start !== position) {
      throw new FileFormatError(
        `${file}: tensor ${quote(info.name)} begins at byte ${start} where ${position} is expected; the header is damaged. Fetch the file again.`,
      );
    }
    position = end;
  }
  if (position !== source.byteLength) {
    throw new FileFormatError(
      `${file} is truncated or damaged: its header describes ${position} bytes and it has ${source.byteLength}. Fetch the file again.`,
    );
  }
  return { metadata, entries: new Map(entries.map((entry) => [entry.info.name, entry])) };
}

function readEntry(file: string, name: string, value: unknown, dataStart: number): SafetensorsEntry {
  const { dtype, shape, data_offsets: offsets } = isRecord(value) ? value : {};
  if (typeof dtype !== 'string' || !Array.isArray(shape) || !Array.isArray(offsets) || offsets.length !== 2) {
    throw new FileFormatError(
      `${file}: tensor ${quote(name)} lacks a dtype, a shape or two data offsets; the header is damaged. Fetch the file again.`,
    );
  }
  const size = elementBytes(dtype);
  if (size === undefined)
    throw new UnsupportedError(
      `${file}: tensor ${quote(name)} has the element type ${quote(dtype)}, which is not supported. Convert the model to F32, F16 or BF16.`,
    );
  const byteLength = checkedElementCount(shape, file, name) * size;
  const [start, end] = offsets as [unknown, unknown];
  if (
    !Number.isSafeInteger(start) ||
    !Number.isSafeInteger(end) ||
    (start as number) < 0 ||
    (end as number) - (start as number) !== byteLength
  ) {
    throw new FileFormatError(
      `${file}: tensor ${quote(name)} of shape [${shape.join(', ')}] and type ${dtype} needs ${byteLength} bytes, but its offsets are [${start}, ${end}].`,
    );
  }
  const info: TensorInfo = { name, storage: dtype, shape: shape as number[], byteLength };
  return { info, start: dataStart + (start as number), end: dataStart + (end as number) };
}

/**
 * The tensors of one safetensors file, or of the parts of a sharded model. Throws as `readSafetensorsHeader`, and MismatchError for a tensor in two parts of which
 * `places` (a file for each tensor) names neither.
 */
export async function safetensorsWeights(
  sources: readonly ByteSource[],
  places: ReadonlyMap<string, string> = new Map(),
): Promise<Weights> {
  const found = new Map<string, { readonly source: ByteSource; readonly entry: SafetensorsEntry }>();
  for (const source of sources) {
    const { entries } = await readSafetensorsHeader(source);
    for (const [name, entry] of entries) {
      const other = found.get(name);
      const place = places.get(name);
      if (other && place === other.source.name) continue;
      if (other && place !== source.name)
        throw new MismatchError(
          `Tensor ${quote(name)} is in both ${other.source.name} and ${source.name}. Keep the parts of one model only.`,
        );
      found.set(name, { source, entry });
    }
  }
  const tensors = new Map([...found].map(([name, { entry }]) => [name, entry.info]));
  return {
    format: 'safetensors',
    sources,
    tensors,
    async read(name: string, rows?: RowRange): Promise<Float32Array> {
      const { source, entry } = found.get(name) ?? missingTensor(name, sources[0]?.name ?? 'the model', tensors);
      const { first, count } = elementRange(entry.info, rows);
      const size = elementBytes(entry.info.storage) ?? 0;
      const start = entry.start + first * size;
      return decodeElements(entry.info.storage, await source.read(start, start + count * size), name);
    },
  };
}
