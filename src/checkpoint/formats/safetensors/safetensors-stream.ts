/** A tensor of a safetensors file that is written piece by piece; `chunks` gives exactly `byteLength` bytes. */
export interface StreamedTensor {
  readonly name: string;
  readonly dtype: 'F32' | 'F16' | 'BF16';
  readonly shape: readonly number[];
  readonly byteLength: number;
  chunks(): AsyncIterable<Uint8Array>;
}

export interface StreamedFile {
  readonly byteLength: number;
  chunks(): AsyncIterable<Uint8Array>;
}

/** A safetensors file of tensors in the order given. Only the header and one chunk are in memory. */
export function streamSafetensors(
  tensors: readonly StreamedTensor[],
  metadata: Readonly<Record<string, string>>,
): StreamedFile {
  let offset = 0;
  const entries = tensors.map(({ name, dtype, shape, byteLength }) => {
    const start = offset;
    offset += byteLength;
    return `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [start, offset] })}`;
  });
  const json = new TextEncoder().encode(`{${[`"__metadata__":${JSON.stringify(metadata)}`, ...entries].join(',')}}`);
  const header = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  header.set(json, 8);
  return {
    byteLength: header.length + offset,
    async *chunks() {
      yield header;
      for (const tensor of tensors) yield* tensor.chunks();
    },
  };
}
