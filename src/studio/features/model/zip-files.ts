import { FileFormatError, UnsupportedError } from '../../../errors.ts';
import type { PickedFile } from '../../../worker/engine.ts';

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
/** The end record has 22 bytes and a comment of at most 65,535. */
const END_BYTES = 22;
const LONGEST_END = END_BYTES + 65_535;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;
const STORED = 0;
const DEFLATED = 8;

/**
 * The files of a zip archive, by its central directory (PKWARE's APPNOTE, section 4.3). What is stored uncompressed, as in archives that the studio makes, stays where
 * it lies: libraries read an archive into memory whole, which a model of gigabytes does not fit. Throws FileFormatError for what is no archive or is
 * cut off, and UnsupportedError for archives beyond 4 GiB and methods other than deflate.
 */
export async function filesOfZip(archive: Blob, name: string): Promise<PickedFile[]> {
  const tail = await viewOf(archive, Math.max(0, archive.size - LONGEST_END), archive.size);
  let end = tail.byteLength - END_BYTES;
  while (end >= 0 && tail.getUint32(end, true) !== END) end -= 1;
  if (end < 0)
    throw new FileFormatError(`${name} is no whole zip archive: its end is missing. Make or fetch it again.`);
  const [count, bytes, start] = [
    tail.getUint16(end + 10, true),
    tail.getUint32(end + 12, true),
    tail.getUint32(end + 16, true),
  ];
  if (start === 0xffffffff || count === 0xffff)
    throw new UnsupportedError(`${name} is a zip archive of more than 4 GiB. Unpack it, and open the folder.`);
  if (start + bytes > archive.size) throw cutOff(name);
  const directory = await viewOf(archive, start, start + bytes);
  const files: PickedFile[] = [];
  for (let at = 0, entry = 0; entry < count; entry += 1) {
    if (at + ENTRY_BYTES > directory.byteLength || directory.getUint32(at, true) !== ENTRY) throw cutOff(name);
    const [nameBytes, extra, comment] = [28, 30, 32].map((field) => directory.getUint16(at + field, true)) as [
      number,
      number,
      number,
    ];
    if (at + ENTRY_BYTES + nameBytes > directory.byteLength) throw cutOff(name);
    const path = new TextDecoder().decode(new Uint8Array(directory.buffer, at + ENTRY_BYTES, nameBytes));
    const [method, packed, local] = [
      directory.getUint16(at + 10, true),
      directory.getUint32(at + 20, true),
      directory.getUint32(at + 42, true),
    ];
    if (!path.endsWith('/'))
      files.push({ path, blob: await contentOf(archive, { name, path, method, packed, local }) });
    at += ENTRY_BYTES + nameBytes + extra + comment;
  }
  return files;
}

interface Entry {
  readonly name: string;
  readonly path: string;
  readonly method: number;
  /** Bytes in the archive. */
  readonly packed: number;
  /** Where its local header begins. */
  readonly local: number;
}

async function contentOf(archive: Blob, { name, path, method, packed, local }: Entry): Promise<Blob> {
  if (local + LOCAL_BYTES > archive.size) throw cutOff(name);
  const header = await viewOf(archive, local, local + LOCAL_BYTES);
  if (header.getUint32(0, true) !== LOCAL) throw cutOff(name);
  const from = local + LOCAL_BYTES + header.getUint16(26, true) + header.getUint16(28, true);
  if (from + packed > archive.size) throw cutOff(name);
  const content = archive.slice(from, from + packed);
  if (method === STORED) return content;
  if (method !== DEFLATED)
    throw new UnsupportedError(
      `${path} in ${name} is packed by method ${method}; deflate is read. Unpack it, and open the folder.`,
    );
  return new Response(content.stream().pipeThrough(new DecompressionStream('deflate-raw'))).blob();
}

async function viewOf(archive: Blob, from: number, to: number): Promise<DataView> {
  return new DataView(await archive.slice(from, to).arrayBuffer());
}

function cutOff(name: string): FileFormatError {
  return new FileFormatError(
    `${name} is a damaged zip archive: it names places that it does not have. Make or fetch it again.`,
  );
}
