import { MismatchError, UsageError } from '../../../errors.ts';

/** A tensor to write. F16 data are 16-bit patterns (`floatToHalf`). */
export type WritableTensor =
  | { readonly dtype: 'F32'; readonly shape: readonly number[]; readonly data: Float32Array }
  | { readonly dtype: 'F64'; readonly shape: readonly number[]; readonly data: Float64Array }
  | { readonly dtype: 'F16'; readonly shape: readonly number[]; readonly data: Uint16Array }
  | { readonly dtype: 'I64'; readonly shape: readonly number[]; readonly data: BigInt64Array };

/**
 * A safetensors file in memory. The same tensors and metadata give the same bytes whatever their order: tensors are laid out by element size
 * (largest first, so that all stay aligned), then by name; metadata by key; the header is padded with spaces to a multiple of 8.
 * Throws MismatchError where data and shape disagree, UsageError for the reserved name.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, WritableTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const sorted = [...tensors].sort(
    ([nameA, a], [nameB, b]) =>
      b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT || (nameA < nameB ? -1 : nameA > nameB ? 1 : 0),
  );
  const header: [string, unknown][] = [];
  const keys = Object.keys(metadata).sort();
  if (keys.length > 0) header.push(['__metadata__', Object.fromEntries(keys.map((key) => [key, metadata[key]]))]);
  let offset = 0;
  for (const [name, { dtype, shape, data }] of sorted) {
    if (name === '__metadata__')
      throw new UsageError('A tensor cannot be named "__metadata__": safetensors reserves the name.');
    const elements = shape.reduce((product, size) => product * size, 1);
    if (elements !== data.length)
      throw new MismatchError(
        `Tensor "${name}" has ${data.length} elements, but the shape [${shape.join(', ')}] needs ${elements}.`,
      );
    header.push([name, { dtype, shape, data_offsets: [offset, offset + data.byteLength] }]);
    offset += data.byteLength;
  }
  // JSON by entries: an object would move names that look like integers to the front.
  const json = new TextEncoder().encode(
    `{${header.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`,
  );
  const headerLength = Math.ceil(json.length / 8) * 8;
  const file = new Uint8Array(8 + headerLength + offset);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerLength), true);
  file.set(json, 8);
  file.fill(0x20, 8 + json.length, 8 + headerLength);
  let position = 8 + headerLength;
  for (const [, { data }] of sorted) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
    position += data.byteLength;
  }
  return file;
}
