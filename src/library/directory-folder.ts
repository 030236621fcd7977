import { blobFiles } from '../checkpoint/files/file.ts';
import { MissingError } from '../errors.ts';
import type { OutputFolder } from '../export/output-folder.ts';

/** Stands in the folder while it is being written: a folder that keeps it was never finished. */
export const UNFINISHED = 'NOT FINISHED - delete this folder.txt';

const NOTE =
  'Espalier is writing this folder, or was stopped while it was. When this file is gone, all files are there and verified.\n';

/** A folder inside one that the reader picked. */
export interface DirectoryFolder extends OutputFolder {
  /** The name that was free. */
  readonly name: string;
  /** A file that was written. Throws MissingError. */
  read(name: string): Promise<Blob>;
}

/**
 * A new folder in a picked one; nothing that is there already is touched: `name`, or `name-2`, … Browsers cannot rename folders, so an unfinished one is marked by a
 * file that `publish` takes away; each file appears under its name only when it is whole, and `discard` removes the folder.
 */
export async function directoryFolder(parent: FileSystemDirectoryHandle, name: string): Promise<DirectoryFolder> {
  const free = await freeName(parent, name);
  const root = await parent.getDirectoryHandle(free, { create: true });
  let published = false;
  const names = new Set<string>();
  const write = async (path: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) => {
    const file = await fileOf(root, path, true);
    const writable = await file.createWritable();
    try {
      for await (const chunk of chunks) await writable.write(chunk as Uint8Array<ArrayBuffer>);
    } catch (error) {
      await writable.abort();
      throw error;
    }
    await writable.close();
    if (path !== UNFINISHED) names.add(path);
  };
  const read = async (path: string): Promise<Blob> => {
    try {
      return await (await fileOf(root, path, false)).getFile();
    } catch (error) {
      throw new MissingError(`The file ${path} is not in the folder ${free} any more. Build the model again.`, {
        cause: error,
      });
    }
  };
  await write(UNFINISHED, [new TextEncoder().encode(NOTE)]);
  return {
    name: free,
    read,
    write,
    async openModel(model, dataName) {
      const location = dataName.slice(dataName.lastIndexOf('/') + 1);
      return {
        model: new Uint8Array(await (await read(model)).arrayBuffer()),
        externalData: { [location]: await read(dataName) },
      };
    },
    async reopen() {
      const blobs = await Promise.all([...names].map(async (file) => [file, await read(file)] as const));
      return blobFiles(free, new Map(blobs));
    },
    async publish() {
      await root.removeEntry(UNFINISHED);
      published = true;
    },
    async discard() {
      if (!published) await removeFolder(parent, free);
    },
  };
}

/** A file that was being written stays locked for a moment after it was given up: the removal is tried until it is let go. */
async function removeFolder(parent: FileSystemDirectoryHandle, name: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await parent.removeEntry(name, { recursive: true });
    } catch (error) {
      const isLocked = error instanceof DOMException && error.name === 'NoModificationAllowedError';
      if (!isLocked || attempt === REMOVALS) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50 * attempt));
    }
  }
}

/** How often a removal is tried: over about ten seconds. */
const REMOVALS = 20;

async function freeName(parent: FileSystemDirectoryHandle, name: string): Promise<string> {
  const taken = new Set<string>();
  for await (const entry of parent.keys()) taken.add(entry);
  for (let number = 1; ; number += 1) {
    const candidate = number === 1 ? name : `${name}-${number}`;
    if (!taken.has(candidate)) return candidate;
  }
}

async function fileOf(root: FileSystemDirectoryHandle, path: string, create: boolean): Promise<FileSystemFileHandle> {
  const parts = path.split('/');
  let folder = root;
  for (const part of parts.slice(0, -1)) folder = await folder.getDirectoryHandle(part, { create });
  return folder.getFileHandle(parts.at(-1) ?? path, { create });
}
