import { blobFiles } from '../checkpoint/files/file.ts';
import { MissingError } from '../errors.ts';
import type { OutputFolder } from './output-folder.ts';

/** A folder in memory, for browsers and tests: its files are blobs, which browsers may keep on disk. */
export interface MemoryFolder extends OutputFolder {
  /** Files by name; empty until `publish`. */
  readonly files: ReadonlyMap<string, Blob>;
}

/** A folder in memory that an export may write to. */
export function memoryFolder(): MemoryFolder {
  const written = new Map<string, Blob>();
  const files = new Map<string, Blob>();
  const open = (name: string) => {
    const blob = written.get(name);
    if (!blob) throw new MissingError(`The file ${name} was not written to the folder.`);
    return blob;
  };
  return {
    files,
    async write(name, chunks) {
      const parts: Blob[] = [];
      // A blob per chunk: the producer may use its array again.
      for await (const chunk of chunks) parts.push(new Blob([chunk as Uint8Array<ArrayBuffer>]));
      written.set(name, new Blob(parts));
    },
    async openModel(name, dataName) {
      const location = dataName.slice(dataName.lastIndexOf('/') + 1);
      return { model: new Uint8Array(await open(name).arrayBuffer()), externalData: { [location]: open(dataName) } };
    },
    reopen: async () => blobFiles('the export', written),
    async publish() {
      for (const [name, blob] of written) files.set(name, blob);
    },
    async discard() {
      written.clear();
    },
  };
}
