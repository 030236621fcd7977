import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a folder anew: `make` fills another beside it, which takes its place when it is whole. Nothing old stays in it, and nothing is lost where making it
 * fails. Where another process was quicker, its folder stays.
 * @param {string} folder
 * @param {(fresh: string) => Promise<void>} make
 */
export async function replaceFolder(folder, make) {
  const fresh = `${folder}.${process.pid}.new`;
  const old = `${folder}.${process.pid}.old`;
  await mkdir(dirname(folder), { recursive: true });
  try {
    await make(fresh);
    if (existsSync(folder)) await rename(folder, old).catch(ifThere(folder));
    await rename(fresh, folder).catch(ifThere(folder));
  } finally {
    for (const path of [fresh, old]) await rm(path, { recursive: true, force: true });
  }
}

/**
 * What another process did meanwhile is as good, where the folder is there.
 * @param {string} folder
 */
function ifThere(folder) {
  return (/** @type {unknown} */ error) => {
    if (!existsSync(folder)) throw error;
  };
}
