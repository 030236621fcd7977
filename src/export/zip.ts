import { Zip, ZipPassThrough } from 'fflate';
import { UnsupportedError } from '../errors.ts';

/** The plain zip format counts bytes in 32 bits. */
const LARGEST_ZIP = 2 ** 32 - 2 ** 20;

/**
 * A zip archive of files, as a stream; nothing is compressed (weights do not shrink) and one chunk is in memory at a time.
 * Throws UnsupportedError when the archive would pass 4 GiB.
 */
export function zipStream(files: ReadonlyMap<string, Blob>, folder: string): ReadableStream<Uint8Array> {
  const total = [...files.values()].reduce((sum, { size }) => sum + size, 0);
  if (total > LARGEST_ZIP)
    throw new UnsupportedError(
      `The files have ${total} bytes, but a zip archive holds at most ${LARGEST_ZIP}. Save the files one by one.`,
    );
  const entries = files.entries();
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  let current: ZipPassThrough | undefined;
  let controller: ReadableStreamDefaultController<Uint8Array>;
  const zip = new Zip((error, chunk, final) => {
    if (error) return controller.error(error);
    controller.enqueue(chunk);
    if (final) controller.close();
  });
  const advance = async (): Promise<void> => {
    if (!current || !reader) {
      const next = entries.next();
      if (next.done) return zip.end();
      const [name, blob] = next.value;
      current = new ZipPassThrough(`${folder}/${name}`);
      // The same files make the same archive.
      current.mtime = new Date(1980, 0, 2);
      zip.add(current);
      reader = blob.stream().getReader();
    }
    const { done, value } = await reader.read();
    current.push(value ?? new Uint8Array(), done);
    if (done) {
      reader = undefined;
      current = undefined;
    }
  };
  return new ReadableStream<Uint8Array>({
    start(ownController) {
      controller = ownController;
    },
    pull: advance,
  });
}

/** The archive as a blob. */
export async function zipBlob(files: ReadonlyMap<string, Blob>, folder: string): Promise<Blob> {
  return new Response(zipStream(files, folder), { headers: { 'content-type': 'application/zip' } }).blob();
}
