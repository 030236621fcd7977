import { elementCount } from '../../../arrays.ts';
import { MismatchError, UsageError } from '../../../errors.ts';
import { elementBytes } from '../../elements.ts';

/** A tensor to write. F16 data are 16-bit patterns (`floatToHalf`). */
export type WritableTensor =
  | { readonly dtype: 'F32'; readonly shape: readonly number[]; readonly data: Float32Array }
  | { readonly dtype: 'F64'; readonly shape: readonly number[]; readonly data: Float64Array }
  | { readonly dtype: 'F16'; readonly shape: readonly number[]; readonly data: Uint16Array }
  | { readonly dtype: 'I32'; readonly shape: readonly number[]; readonly data: Int32Array }
  | { readonly dtype: 'I64'; readonly shape: readonly number[]; readonly data: BigInt64Array };

/** A tensor before its data are known. */
export interface DeclaredTensor {
  readonly dtype: WritableTensor['dtype'] | 'BF16';
  readonly shape: readonly number[];
}

/** Where everything of a file lies, known before any data are: what lets a file be written as its data come. */
export interface SafetensorsLayout {
  /** The file's first bytes. */
  readonly header: Uint8Array<ArrayBuffer>;
  /** Of the whole file. */
  readonly byteLength: number;
  /** Byte range [start, end) of each tensor in the file, by name. */
  readonly places: ReadonlyMap<string, { readonly start: number; readonly end: number }>;
}

/**
 * The header of a safetensors file, and the places of its tensors. The same tensors and metadata give the same bytes whatever their order: tensors are laid out by element size
 * (largest first, so that all stay aligned), then by name; metadata by key; the header is padded with spaces to a multiple of 8. Throws UsageError for the reserved name.
 */
export function safetensorsLayout(
  tensors: Iterable<readonly [string, DeclaredTensor]>,
  metadata: Readonly<Record<string, string>> = {},
): SafetensorsLayout {
  const sorted = [...tensors]
    .map(([name, { dtype, shape }]) => ({ name, dtype, shape, size: elementBytes(dtype) ?? 0 }))
    .sort((a, b) => b.size - a.size || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const header: [string, unknown][] = [];
  const keys = Object.keys(metadata).sort();
  if (keys.length > 0) header.push(['__metadata__', Object.fromEntries(keys.map((key) => [key, metadata[key]]))]);
  const offsets: [string, number, number][] = [];
  let offset = 0;
  for (const { name, dtype, shape, size } of sorted) {
    if (name === '__metadata__')
      throw new UsageError('A tensor cannot be named "__metadata__": safetensors reserves the name.');
    const end = offset + size * elementCount(shape);
    header.push([name, { dtype, shape, data_offsets: [offset, end] }]);
    offsets.push([name, offset, end]);
    offset = end;
  }
  // JSON by entries: an object would move names that look like integers to the front.
  const json = new TextEncoder().encode(
    `{${header.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`,
  );
  const start = 8 + Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(start).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - 8), true);
  bytes.set(json, 8);
  return {
    header: bytes,
    byteLength: start + offset,
    places: new Map(offsets.map(([name, from, end]) => [name, { start: start + from, end: start + end }])),
  };
}

/** A safetensors file in memory, laid out as `safetensorsLayout` says. Throws MismatchError where data and shape disagree, UsageError for the reserved name. */
export function writeSafetensors(
  tensors: ReadonlyMap<string, WritableTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const { header, byteLength, places } = safetensorsLayout(tensors, metadata);
  for (const [name, { shape, data }] of tensors) {
    if (elementCount(shape) !== data.length)
      throw new MismatchError(
        `Tensor "${name}" has ${data.length} elements, but the shape [${shape.join(', ')}] needs ${elementCount(shape)}.`,
      );
  }
  const file = new Uint8Array(byteLength);
  file.set(header);
  for (const [name, { data }] of tensors)
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), places.get(name)?.start);
  return file;
}
