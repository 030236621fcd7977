import type { KeptFile } from '../kept-file.ts';

/** What the page's files do, without a browser. */
export function memoryFile(initial?: Uint8Array): { readonly file: KeptFile; kept(): Uint8Array | undefined } {
  let kept = initial;
  const file: KeptFile = {
    name: 'memory',
    load: async () => kept,
    save: async (bytes) => {
      kept = bytes;
    },
    clear: async () => {
      kept = undefined;
    },
  };
  return { file, kept: () => kept };
}
