import { readFile, rm } from 'node:fs/promises';
import type { RecoveryCheckpoint } from '../library/recover.ts';
import { writeWhole } from './write-file.ts';

/** A training's state in a file: written beside it and renamed, so that what is there is always whole. */
export interface TrainingFile extends RecoveryCheckpoint {
  readonly path: string;
  /** Whether there is one, of this run or an earlier one. */
  saved(): boolean;
  /** Removes it after the training's result is written, unless it was asked for by name. */
  finish(): Promise<void>;
}

/** The file of `--checkpoint`, which stays; else `<output>.partial`, which is there only while the result is not. */
export function trainingFile(checkpoint: string | undefined, output: string): TrainingFile {
  const path = checkpoint ?? `${output.replace(/[\\/]+$/, '')}.partial`;
  let saved = false;
  return {
    path,
    saved: () => saved,
    async read() {
      try {
        const bytes = new Uint8Array(await readFile(path));
        saved = true;
        return bytes;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    },
    async write(bytes) {
      await writeWhole(path, bytes);
      saved = true;
    },
    async finish() {
      if (checkpoint === undefined) await rm(path, { force: true });
    },
  };
}
