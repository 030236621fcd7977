import { readFile } from 'node:fs/promises';
import type { RecoveryCheckpoint } from '../library/recover.ts';
import { writeWhole } from './write-file.ts';

/** A training's state in a file: written beside it and renamed, so that what is there is always whole. */
export function checkpointFile(path: string): RecoveryCheckpoint {
  return {
    async read() {
      try {
        return new Uint8Array(await readFile(path));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    },
    write: (bytes) => writeWhole(path, bytes),
  };
}
