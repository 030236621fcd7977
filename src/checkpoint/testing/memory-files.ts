import type { FileAccess } from '../files/files.ts';
import { memorySource } from '../files/memory.ts';

/** A folder in memory: file names to contents. */
export function memoryFiles(name: string, files: Readonly<Record<string, Uint8Array>>): FileAccess {
  const entries = new Map(Object.entries(files));
  return {
    name,
    list: async () => [...entries.keys()],
    open: async (file) => {
      const bytes = entries.get(file);
      return bytes && memorySource(file, bytes);
    },
  };
}
