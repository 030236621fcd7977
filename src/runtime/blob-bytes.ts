/** Reads a blob where the thread may wait for it: in workers. */
declare const FileReaderSync: { new (): { readAsArrayBuffer(blob: Blob): ArrayBuffer } } | undefined;

/** The bytes of a blob as ONNX Runtime 1.30 takes external data: of an array that it mounts it asks `byteLength` and, once for every tensor, `subarray`, which here reads. */
class BlobBytes extends Uint8Array {
  readonly #blob: Blob;

  constructor(blob: Blob) {
    super(0);
    this.#blob = blob;
    Object.defineProperty(this, 'byteLength', { value: blob.size });
  }

  override subarray(start: number, end: number): Uint8Array<ArrayBuffer> {
    if (typeof FileReaderSync === 'undefined') throw new TypeError('Blobs are read at once in workers only.');
    return new Uint8Array(new FileReaderSync().readAsArrayBuffer(this.#blob.slice(start, end)));
  }
}

/**
 * A blob that is read tensor by tensor, each into memory that is free again once ONNX Runtime has copied it: its own reader of blobs, which only the JSPI build has, keeps
 * a buffer of the largest tensor until the session is made. Undefined on a page's main thread, which cannot wait.
 */
export function blobBytes(blob: Blob): Uint8Array | undefined {
  return typeof FileReaderSync === 'undefined' ? undefined : new BlobBytes(blob);
}
