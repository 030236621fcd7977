import { makeZip } from 'client-zip';

/** The same files make the same archive. */
const MODIFIED = new Date(1980, 0, 2);

/** A zip archive of files, with 64-bit sizes where it needs them; nothing is compressed (weights do not shrink), and one chunk is in memory at a time. */
function zipStream(files: ReadonlyMap<string, Blob>, folder: string): ReadableStream<Uint8Array> {
  return makeZip([...files].map(([name, input]) => ({ name: `${folder}/${name}`, input, lastModified: MODIFIED })));
}

/** The archive as a blob. */
export async function zipBlob(files: ReadonlyMap<string, Blob>, folder: string): Promise<Blob> {
  return new Response(zipStream(files, folder), { headers: { 'content-type': 'application/zip' } }).blob();
}
