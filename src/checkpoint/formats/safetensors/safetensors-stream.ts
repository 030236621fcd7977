import { type DeclaredTensor, safetensorsLayout } from './safetensors-write.ts';

/** A tensor of a safetensors file that is written piece by piece; `chunks` gives just the bytes of its shape. */
export interface StreamedTensor {
  readonly name: string;
  readonly dtype: DeclaredTensor['dtype'];
  readonly shape: readonly number[];
  chunks(): AsyncIterable<Uint8Array>;
}

export interface StreamedFile {
  readonly byteLength: number;
  chunks(): AsyncIterable<Uint8Array>;
}

/** A safetensors file laid out as `safetensorsLayout` says, tensor by tensor. Only the header and one chunk are in memory. */
export function streamSafetensors(
  tensors: readonly StreamedTensor[],
  metadata: Readonly<Record<string, string>>,
): StreamedFile {
  const { header, byteLength, places } = safetensorsLayout(
    tensors.map((tensor) => [tensor.name, tensor]),
    metadata,
  );
  const start = ({ name }: StreamedTensor) => places.get(name)?.start ?? 0;
  const inOrder = [...tensors].sort((a, b) => start(a) - start(b));
  return {
    byteLength,
    async *chunks() {
      yield header;
      for (const tensor of inOrder) yield* tensor.chunks();
    },
  };
}
