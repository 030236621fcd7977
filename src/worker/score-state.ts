import type { ScoreStateStore } from '../library/score-resume.ts';

const FILE = 'score-state.safetensors';
const NEW = `${FILE}.new`;

/**
 * The state of scoring in the origin's private file system, for workers: a page that is closed in the middle goes on from the last finished layer. One for all
 * models, since a state tells whose it is. Where the browser has no such file system, or it is full, scoring runs as it would without.
 */
export function opfsScoreState(): ScoreStateStore {
  const root = () => navigator.storage.getDirectory();
  return {
    name: FILE,
    load: async () => {
      const handle = await (await root()).getFileHandle(FILE);
      return new Uint8Array(await (await handle.getFile()).arrayBuffer());
    },
    save: async (bytes) => {
      const directory = await root();
      const file = await directory.getFileHandle(NEW, { create: true });
      const handle = await file.createSyncAccessHandle();
      try {
        handle.truncate(0);
        if (handle.write(bytes) !== bytes.length) throw new DOMException('short write', 'QuotaExceededError');
        handle.flush();
      } finally {
        handle.close();
      }
      await directory.removeEntry(FILE).catch(() => undefined);
      // In every browser that has synchronous handles, but not yet in TypeScript's library.
      await (file as FileSystemFileHandle & { move(name: string): Promise<void> }).move(FILE);
    },
    clear: async () => (await root()).removeEntry(FILE),
  };
}

/** A store whose failures lose the state and nothing else. */
export function lenient(store: ScoreStateStore): ScoreStateStore {
  return {
    name: store.name,
    load: () => store.load().catch(() => undefined),
    save: (bytes) => store.save(bytes).catch(() => undefined),
    clear: () => store.clear().catch(() => undefined),
  };
}
