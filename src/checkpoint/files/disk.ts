import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, statfs, truncate, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { CancelledError, FileFormatError, MissingError, StorageError } from '../../errors.ts';
import type { ByteSource } from '../checkpoint.ts';
import { formatOf, withoutEnding } from '../formats/table.ts';
import { tryDiskLock } from '../store/disk-lock.ts';
import {
  lockForDeleting,
  MANIFEST,
  type Manifest,
  type ModelStore,
  PARTIAL_SUFFIX,
  type PartialFile,
  parseManifest,
  storedFolder,
} from '../store/model-store.ts';
import { checkInnerName, type FileAccess } from './files.ts';
import { wholeName } from './joined.ts';
import { checkRange } from './memory.ts';

/** Node reads at most 2 GiB at once. */
const LARGEST_READ = 1 << 30;

/** A file on disk, read by ranges; it is opened for each read, so there is nothing to close. Throws MissingError when it is not there. */
export async function diskSource(path: string, name: string = basename(path)): Promise<ByteSource> {
  const status = await statOrUndefined(path);
  if (!status?.isFile()) throw new MissingError(`There is no file ${path}.`);
  const source = {
    name,
    byteLength: status.size,
    async read(start: number, end: number): Promise<Uint8Array> {
      checkRange(source, start, end);
      const bytes = new Uint8Array(end - start);
      const handle = await open(path, 'r');
      try {
        for (let done = 0; done < bytes.length; ) {
          const { bytesRead } = await handle.read(
            bytes,
            done,
            Math.min(bytes.length - done, LARGEST_READ),
            start + done,
          );
          if (bytesRead === 0)
            throw new FileFormatError(
              `${path} became shorter while it was read. Leave the model's files alone until the work is done.`,
            );
          done += bytesRead;
        }
      } finally {
        await handle.close();
      }
      return bytes;
    },
    async sha256(signal?: AbortSignal): Promise<string> {
      const hash = createHash('sha256');
      try {
        for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, ...(signal ? { signal } : {}) }))
          hash.update(chunk as Uint8Array);
      } catch (error) {
        if (signal?.aborted) throw new CancelledError();
        throw error;
      }
      return hash.digest('hex');
    },
  };
  return source;
}

/** A folder on disk. Lists its files and those of its direct subfolders (`onnx/`). Throws MissingError when it is not there. */
export async function diskFolder(path: string): Promise<FileAccess> {
  const root = resolve(path);
  if (!(await statOrUndefined(root))?.isDirectory()) throw new MissingError(`There is no folder ${path}.`);
  return {
    name: basename(root),
    async list(): Promise<readonly string[]> {
      const names: string[] = [];
      for (const name of (await readdir(root)).sort()) {
        const status = await statOrUndefined(join(root, name));
        if (status?.isFile()) names.push(name);
        else if (status?.isDirectory() && !name.startsWith('.')) {
          for (const inner of (await readdir(join(root, name))).sort()) {
            if ((await statOrUndefined(join(root, name, inner)))?.isFile()) names.push(`${name}/${inner}`);
          }
        }
      }
      return names;
    },
    async open(name: string): Promise<ByteSource | undefined> {
      const file = join(root, checkInnerName(name, basename(root)));
      return (await statOrUndefined(file))?.isFile() ? diskSource(file, name) : undefined;
    },
  };
}

/**
 * What a path given by a person means: a folder, or a weight file in its folder. An ONNX file whose config.json lies one folder above, as exports have it, belongs
 * to that folder. Throws MissingError when there is neither.
 */
export async function diskModel(
  path: string,
): Promise<{ readonly files: FileAccess; readonly weights: string | undefined; readonly name: string }> {
  const status = await statOrUndefined(path);
  if (status?.isDirectory()) {
    const snapshot = await snapshotOf(path);
    return {
      files: await diskFolder(snapshot?.folder ?? path),
      weights: undefined,
      name: snapshot?.name ?? basename(resolve(path)),
    };
  }
  if (!status?.isFile()) throw new MissingError(`There is no file or folder ${path}.`);
  const folder = dirname(resolve(path));
  const file = basename(path);
  const isThere = async (name: string) => (await statOrUndefined(join(name, 'config.json')))?.isFile() ?? false;
  if (formatOf(file)?.name === 'ONNX' && !(await isThere(folder)) && (await isThere(dirname(folder))))
    return {
      files: await diskFolder(dirname(folder)),
      weights: `${basename(folder)}/${file}`,
      name: basename(dirname(folder)),
    };
  return { files: await diskFolder(folder), weights: file, name: withoutEnding(wholeName(file)) };
}

/** The files of a model in the cache of Hugging Face's own tools (models--org--name): those of the revision `main`, or of the only one that is there. */
async function snapshotOf(path: string): Promise<{ readonly folder: string; readonly name: string } | undefined> {
  const [, name] = /^models--(.+)$/.exec(basename(resolve(path))) ?? [];
  if (name === undefined) return undefined;
  const snapshots = join(path, 'snapshots');
  const known = await readdir(snapshots).catch((): string[] => []);
  const main = (await readFile(join(path, 'refs', 'main'), 'utf8').catch(() => '')).trim();
  const chosen = known.includes(main) ? main : known.length === 1 ? known[0] : undefined;
  return chosen === undefined ? undefined : { folder: join(snapshots, chosen), name: name.replaceAll('--', '/') };
}

/** Where downloaded models lie when nobody says otherwise: ESPALIER_CACHE, or `espalier` in the user's cache folder. */
export function defaultStoreFolder(environment: Readonly<Record<string, string | undefined>>): string {
  return environment.ESPALIER_CACHE ?? join(environment.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'espalier');
}

/** Downloaded models in a folder on disk, which is made when the first one comes: one subfolder each, with a manifest when it is whole. */
export function diskStore(root: string): ModelStore {
  const folderOf = (key: { readonly id: string; readonly commit: string }) => join(root, storedFolder(key));
  const tryLock: ModelStore['tryLock'] = (key) => tryDiskLock(`${folderOf(key)}.lock`);
  return {
    tryLock,
    async list(): Promise<readonly Manifest[]> {
      const names = await readdir(root).catch(() => []);
      const manifests = await Promise.all(names.sort().map((name) => readManifest(join(root, name, MANIFEST))));
      return manifests.filter((manifest) => manifest !== undefined);
    },
    async files(key) {
      await mkdir(folderOf(key), { recursive: true });
      return diskFolder(folderOf(key));
    },
    partial: (key, name) => diskPartial(join(folderOf(key), checkInnerName(name, key.id))),
    async finish(manifest) {
      const path = join(folderOf(manifest), MANIFEST);
      await writeFile(path + PARTIAL_SUFFIX, `${JSON.stringify(manifest, null, 2)}\n`);
      await rename(path + PARTIAL_SUFFIX, path);
    },
    async delete(key) {
      await using _ = await lockForDeleting({ tryLock }, key);
      // The manifest first: what is left after an interruption counts as not whole.
      await rm(join(folderOf(key), MANIFEST), { force: true });
      await rm(folderOf(key), { recursive: true, force: true });
    },
    async available() {
      await mkdir(root, { recursive: true });
      const { bavail, bsize } = await statfs(root);
      return bavail * bsize;
    },
  };
}

async function readManifest(path: string): Promise<Manifest | undefined> {
  try {
    return parseManifest(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    // No manifest, or a broken one: the model is not whole.
    return undefined;
  }
}

async function diskPartial(path: string): Promise<PartialFile> {
  const temporary = path + PARTIAL_SUFFIX;
  await mkdir(dirname(path), { recursive: true });
  const handle = await open(temporary, 'a+');
  const { size } = await handle.stat();
  let closed = false;
  const close = async () => {
    if (!closed) await handle.close();
    closed = true;
  };
  return {
    size,
    read: async (start, end) => (await diskSource(temporary)).read(start, end),
    async append(bytes) {
      try {
        await handle.appendFile(bytes);
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'ENOSPC') throw cause;
        throw new StorageError(
          `The disk is full: ${basename(path)} could not be stored whole. Free some space and try again; what has come is kept.`,
          {
            cause,
          },
        );
      }
    },
    discard: () => truncate(temporary, 0),
    async commit() {
      await handle.sync();
      await close();
      await rename(temporary, path);
    },
    close,
  };
}

async function statOrUndefined(path: string) {
  try {
    return await stat(path);
  } catch {
    return undefined;
  }
}
