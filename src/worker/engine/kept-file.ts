import type { ScoreStateStore } from '../../library/score-resume.ts';

/** One file that a worker keeps over reloads, replaced whole. */
export type KeptFile = ScoreStateStore;

/**
 * A file in the origin's private file system, for workers: what is unfinished when a page is closed goes on from there. One for all models, since its content tells
 * whose it is. Where the browser has no such file system, or it is full, its calls fail: see `lenient`.
 */
export function originFile(name: string): KeptFile {
  const root = () => navigator.storage.getDirectory();
  const fresh = `${name}.new`;
  return {
    name,
    load: async () => {
      const handle = await (await root()).getFileHandle(name);
      return new Uint8Array(await (await handle.getFile()).arrayBuffer());
    },
    save: async (bytes) => {
      const directory = await root();
      const file = await directory.getFileHandle(fresh, { create: true });
      const handle = await file.createSyncAccessHandle();
      try {
        handle.truncate(0);
        if (handle.write(bytes) !== bytes.length) throw new DOMException('short write', 'QuotaExceededError');
        handle.flush();
      } finally {
        handle.close();
      }
      await directory.removeEntry(name).catch(() => undefined);
      // In every browser that has synchronous handles, but not yet in TypeScript's library.
      await (file as FileSystemFileHandle & { move(name: string): Promise<void> }).move(name);
    },
    clear: async () => (await root()).removeEntry(name),
  };
}

/** Whether this browser and window have such a file system: WebKitGTK has none, and private windows may refuse theirs. */
export async function hasOriginFiles(): Promise<boolean> {
  const { storage }: { readonly storage?: Partial<StorageManager> } = globalThis.navigator;
  if (!storage?.getDirectory) return false;
  return storage.getDirectory().then(
    () => true,
    () => false,
  );
}

/** A file whose failures lose what it holds and nothing else. */
export function lenient(file: KeptFile): KeptFile {
  return {
    name: file.name,
    load: () => file.load().catch(() => undefined),
    save: (bytes) => file.save(bytes).catch(() => undefined),
    clear: () => file.clear().catch(() => undefined),
  };
}
