import { MissingError, StorageError } from '../../errors.ts';
import {
  lockForDeleting,
  MANIFEST,
  type Manifest,
  type ModelStore,
  PARTIAL_SUFFIX,
  type PartialFile,
  parseManifest,
  type StoredKey,
  type StoreLock,
  storedFolder,
} from '../store/model-store.ts';
import { blobSource } from './file.ts';
import { checkInnerName, type FileAccess } from './files.ts';

/**
 * Downloaded models in the origin's private file system (OPFS), for workers: files are written in place by synchronous handles, so that what has come
 * survives a closed page. One folder per model under `root`.
 */
export function opfsStore(root = 'models'): ModelStore {
  const top = async (create: boolean) => (await privateRoot()).getDirectoryHandle(root, { create });
  const folder = async (key: StoredKey) => (await top(true)).getDirectoryHandle(storedFolder(key), { create: true });
  const tryLock: ModelStore['tryLock'] = (key) => tryWebLock(`espalier/${root}/${storedFolder(key)}`);
  return {
    tryLock,
    async list(): Promise<readonly Manifest[]> {
      const models = await top(false).catch(ifNothingStored);
      if (!models) return [];
      const manifests: Manifest[] = [];
      for await (const [, handle] of models.entries()) {
        const manifest =
          handle.kind === 'directory' ? await readManifest(handle as FileSystemDirectoryHandle) : undefined;
        if (manifest) manifests.push(manifest);
      }
      return manifests.sort((a, b) => (storedFolder(a) < storedFolder(b) ? -1 : 1));
    },
    files: async (key) => directoryFiles(await folder(key), key.id),
    partial: async (key, name) => opfsPartial(await folder(key), checkInnerName(name, key.id)),
    async finish(manifest) {
      const partial = await opfsPartial(await folder(manifest), MANIFEST);
      try {
        await partial.discard();
        await partial.append(new TextEncoder().encode(JSON.stringify(manifest)));
        await partial.commit();
      } finally {
        await partial.close();
      }
    },
    async delete(key) {
      await using _ = await lockForDeleting({ tryLock }, key);
      const models = await top(true);
      const model = await models.getDirectoryHandle(storedFolder(key)).catch(ifMissing);
      await model?.removeEntry(MANIFEST).catch(ifMissing);
      if (model) await models.removeEntry(storedFolder(key), { recursive: true });
    },
    async available() {
      const { quota, usage } = (await navigator.storage?.estimate?.()) ?? {};
      return quota === undefined ? undefined : Math.max(0, quota - (usage ?? 0));
    },
  };
}

/** Throws StorageError where the browser, or a private window, has none. */
async function privateRoot(): Promise<FileSystemDirectoryHandle> {
  const { storage }: { readonly storage?: Partial<StorageManager> } = globalThis.navigator;
  try {
    if (storage?.getDirectory) return await storage.getDirectory();
  } catch (cause) {
    throw new StorageError(NOWHERE, { cause });
  }
  throw new StorageError(NOWHERE);
}

const NOWHERE =
  "This browser gives the page no private file system (OPFS), which downloaded models are kept in. Download the model's files yourself and open their folder, or use another browser or an ordinary window.";

/** A directory of the private file system (or one that the person picked) as a folder of files. */
function directoryFiles(directory: FileSystemDirectoryHandle, name: string): FileAccess {
  return {
    name,
    async list() {
      const names: string[] = [];
      for await (const [entry, handle] of directory.entries()) {
        if (handle.kind === 'file') names.push(entry);
        else
          for await (const [inner, innerHandle] of (handle as FileSystemDirectoryHandle).entries())
            if (innerHandle.kind === 'file') names.push(`${entry}/${inner}`);
      }
      return names.sort();
    },
    async open(file) {
      const found = await locate(directory, checkInnerName(file, name), false).catch(ifMissing);
      const handle = await found?.parent.getFileHandle(found.name).catch(ifMissing);
      return handle && blobSource(file, await handle.getFile());
    },
  };
}

async function locate(directory: FileSystemDirectoryHandle, path: string, create: boolean) {
  const parts = path.split('/');
  const name = parts.pop() ?? '';
  let parent = directory;
  for (const part of parts) parent = await parent.getDirectoryHandle(part, { create });
  return { parent, name };
}

/** Where nothing can be stored, nothing is. */
function ifNothingStored(error: unknown): undefined {
  if (!(error instanceof StorageError)) ifMissing(error);
}

function ifMissing(error: unknown): undefined {
  if (error instanceof DOMException && (error.name === 'NotFoundError' || error.name === 'TypeMismatchError'))
    return undefined;
  throw error;
}

async function readManifest(directory: FileSystemDirectoryHandle): Promise<Manifest | undefined> {
  const handle = await directory.getFileHandle(MANIFEST).catch(ifMissing);
  if (!handle) return undefined;
  try {
    return parseManifest(JSON.parse(await (await handle.getFile()).text()));
  } catch {
    // A broken manifest: the model is not whole.
    return undefined;
  }
}

async function opfsPartial(directory: FileSystemDirectoryHandle, path: string): Promise<PartialFile> {
  const { parent, name } = await locate(directory, path, true);
  const temporary = await parent.getFileHandle(name + PARTIAL_SUFFIX, { create: true });
  const handle = await temporary.createSyncAccessHandle().catch((cause: unknown) => {
    throw new StorageError(`${name} is being stored by another page. Close the other page and try again.`, { cause });
  });
  let length = handle.getSize();
  let closed = false;
  const close = () => {
    if (!closed) handle.close();
    closed = true;
  };
  return {
    size: length,
    async read(start, end) {
      const bytes = new Uint8Array(end - start);
      if (handle.read(bytes, { at: start }) !== bytes.length)
        throw new MissingError(`${name} became shorter while it was stored. Try again.`);
      return bytes;
    },
    async append(bytes) {
      try {
        if (handle.write(bytes as Uint8Array<ArrayBuffer>, { at: length }) !== bytes.length)
          throw new DOMException('short write', 'QuotaExceededError');
      } catch (cause) {
        handle.truncate(length);
        throw new StorageError(
          `The browser's storage is full: ${name} could not be stored whole. Delete a stored model and try again; what has come is kept.`,
          { cause },
        );
      }
      length += bytes.length;
    },
    async discard() {
      handle.truncate(0);
      length = 0;
    },
    async commit() {
      handle.flush();
      close();
      await rename(parent, temporary, name);
    },
    close: async () => close(),
  };
}

/** `move` is in every browser that has synchronous handles, but not yet in TypeScript's library. */
async function rename(parent: FileSystemDirectoryHandle, file: FileSystemFileHandle, name: string): Promise<void> {
  await parent.removeEntry(name).catch(ifMissing);
  await (file as FileSystemFileHandle & { move(name: string): Promise<void> }).move(name);
}

/** A lock among all pages and workers of the origin; the browser frees it when its holder goes. */
function tryWebLock(name: string): Promise<StoreLock | undefined> {
  return new Promise((resolve, reject) => {
    const request = navigator.locks.request(name, { ifAvailable: true }, (lock) => {
      if (!lock) return resolve(undefined);
      return new Promise<void>((release) => {
        resolve({
          async [Symbol.asyncDispose]() {
            release();
            await request;
          },
        });
      });
    });
    request.catch(reject);
  });
}
