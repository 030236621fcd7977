import { randomBytes } from 'node:crypto';
import { rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { throwIfCancelled, UsageError } from '../errors.ts';
import { makeFolder } from '../export/disk.ts';

/** Writes a file whole or not at all: under a temporary name beside the final one, then renamed. */
export async function writeWhole(path: string, contents: Uint8Array | string, signal?: AbortSignal): Promise<void> {
  throwIfCancelled(signal);
  const removeParents = await makeFolder(dirname(path));
  const temporary = `${path}.${randomBytes(4).toString('hex')}.partial`;
  try {
    await writeFile(temporary, contents);
    throwIfCancelled(signal);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    await removeParents();
    throw error;
  }
}

/** Throws UsageError where a file cannot be written at `path`: asked before long work, not after it. */
export async function checkWritable(path: string): Promise<void> {
  if (await isFolder(path))
    throw new UsageError(`${path} is a folder, and a file is to be written. Name a file in it.`);
  for (let folder = dirname(resolve(path)); ; folder = dirname(folder)) {
    const found = await isFolder(folder);
    if (found === false)
      throw new UsageError(`${path} cannot be written: ${folder} is a file, not a folder. Name another.`);
    if (found || dirname(folder) === folder) return;
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
