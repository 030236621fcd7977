import { randomBytes } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { throwIfCancelled } from '../errors.ts';

/** Writes a file whole or not at all: under a temporary name beside the final one, then renamed. */
export async function writeWhole(path: string, contents: Uint8Array | string, signal?: AbortSignal): Promise<void> {
  throwIfCancelled(signal);
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${randomBytes(4).toString('hex')}.partial`;
  try {
    await writeFile(temporary, contents);
    throwIfCancelled(signal);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
