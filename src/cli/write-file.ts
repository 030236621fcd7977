import { randomBytes } from 'node:crypto';
import { access, constants, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { throwIfCancelled, UsageError } from '../errors.ts';
import { explainWriting, makeFolder, throughLinks, written } from '../library/disk.ts';

/**
 * Writes a file whole or not at all: under a temporary name beside the final one, then renamed. What a link points to is written, and the link stays; a pipe or
 * device (/dev/stdout) gets the bytes. Throws StorageError for a full or read-only disk.
 */
export async function writeWhole(path: string, contents: Uint8Array | string, signal?: AbortSignal): Promise<void> {
  throwIfCancelled(signal);
  const special = await stat(path).catch(() => undefined);
  if (special && !special.isFile() && !special.isDirectory()) return written(path, writeFile(path, contents));
  const target = await throughLinks(path);
  const removeParents = await makeFolder(dirname(target));
  const temporary = `${target}.${randomBytes(4).toString('hex')}.partial`;
  try {
    await writeFile(temporary, contents);
    throwIfCancelled(signal);
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    await removeParents();
    throw explainWriting(error, path);
  }
}

/** Throws UsageError or StorageError where a file cannot be written at `path`: asked before long work, not after it. */
export async function checkWritable(path: string): Promise<void> {
  if (await isFolder(path))
    throw new UsageError(`${path} is a folder, and a file is to be written. Name a file in it.`);
  for (let folder = dirname(await throughLinks(path)); ; folder = dirname(folder)) {
    const found = await isFolder(folder);
    if (found === false)
      throw new UsageError(`${path} cannot be written: ${folder} is a file, not a folder. Name another.`);
    if (found) return written(path, access(folder, constants.W_OK));
    if (dirname(folder) === folder) return;
  }
}

/** Undefined where nothing is there. */
async function isFolder(path: string): Promise<boolean | undefined> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return undefined;
  }
}
