import type { SessionOptions } from './runtime.ts';

/** External data in ONNX Runtime's form. Blobs are read into memory, except where the build reads parts of them by itself. */
export async function resolveExternalData(
  files: SessionOptions['externalData'] = {},
  streamsBlobs = false,
): Promise<{ path: string; data: Uint8Array | Blob }[]> {
  return Promise.all(
    Object.entries(files).map(async ([path, data]) => ({
      path,
      data: data instanceof Uint8Array || streamsBlobs ? data : new Uint8Array(await data.arrayBuffer()),
    })),
  );
}
