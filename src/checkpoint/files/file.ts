import { FileFormatError } from '../../errors.ts';
import type { ByteSource } from '../checkpoint.ts';
import type { FileAccess } from './files.ts';
import { checkRange } from './memory.ts';

/** A browser File or Blob, read by ranges: picked, dropped, or from the origin's private file system. */
export function blobSource(name: string, blob: Blob): ByteSource {
  const source = {
    name,
    byteLength: blob.size,
    async read(start: number, end: number): Promise<Uint8Array> {
      checkRange(source, start, end);
      try {
        return new Uint8Array(await blob.slice(start, end).arrayBuffer());
      } catch (cause) {
        throw new FileFormatError(
          `${name} can no longer be read: it was moved, deleted or changed since it was chosen. Choose it again.`,
          { cause },
        );
      }
    },
  };
  return source;
}

/** Picked or dropped files as a folder. `path` is relative to what was picked; a first part that all of them share is taken off. */
export function blobFolder(picked: readonly { readonly path: string; readonly blob: Blob }[]): FileAccess {
  const [first] = picked;
  const root = first?.path.includes('/') ? `${first.path.split('/')[0]}/` : '';
  const isShared = root !== '' && picked.every(({ path }) => path.startsWith(root));
  const entries = new Map(picked.map(({ path, blob }) => [isShared ? path.slice(root.length) : path, blob]));
  return blobFiles(isShared ? root.slice(0, -1) : (first?.path.replace(/\.\w+$/, '') ?? 'dropped files'), entries);
}

/** Blobs by name as a folder that is called `name`. */
export function blobFiles(name: string, entries: ReadonlyMap<string, Blob>): FileAccess {
  return {
    name,
    list: async () => [...entries.keys()].sort(),
    open: async (file) => {
      const blob = entries.get(file);
      return blob && blobSource(file, blob);
    },
  };
}
