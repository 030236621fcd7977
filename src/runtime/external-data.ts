import { blobBytes } from './blob-bytes.ts';
import type { SessionOptions } from './runtime.ts';

/** External data in ONNX Runtime's form. Blobs are read tensor by tensor in workers and by builds that do so themselves, else into memory as a whole. */
export async function resolveExternalData(
  files: SessionOptions['externalData'] = {},
  streamsBlobs = false,
): Promise<{ path: string; data: Uint8Array | Blob }[]> {
  const resolved = async (data: Uint8Array | Blob) => {
    if (data instanceof Uint8Array) return data;
    return blobBytes(data) ?? (streamsBlobs ? data : new Uint8Array(await data.arrayBuffer()));
  };
  return Promise.all(Object.entries(files).map(async ([path, data]) => ({ path, data: await resolved(data) })));
}
