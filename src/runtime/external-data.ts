import type { SessionOptions } from './runtime.ts';

/** External data in ONNX Runtime's form. Blobs are read into memory. */
export async function resolveExternalData(files: SessionOptions['externalData'] = {}): Promise<{ path: string; data: Uint8Array }[]> {
  return Promise.all(
    Object.entries(files).map(async ([path, data]) => ({ path, data: data instanceof Uint8Array ? data : new Uint8Array(await data.arrayBuffer()) })),
  );
}
