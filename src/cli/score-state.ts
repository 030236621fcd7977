import { readFile, rm } from 'node:fs/promises';
import type { ScoreStateStore } from '../library/score-resume.ts';
import { writeWhole } from './write-file.ts';

/** The state of scoring beside the score file that it will become: `<output>.partial`. `saved` tells whether this run has left one. */
export function stateFile(output: string): ScoreStateStore & { readonly saved: () => boolean } {
  const path = `${output}.partial`;
  let saved = false;
  return {
    name: path,
    saved: () => saved,
    load: async () => {
      const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined;
        throw error;
      });
      saved = bytes !== undefined;
      return bytes && new Uint8Array(bytes);
    },
    save: async (bytes) => {
      await writeWhole(path, bytes);
      saved = true;
    },
    clear: async () => {
      await rm(path, { force: true });
      saved = false;
    },
  };
}
