import { lstat, readlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { EspalierError, StorageError } from '../errors.ts';

const MOST_LINKS = 40;

/**
 * Where a path leads: what a link, or a link to a link, points to, whether or not that is there. Written is what a link points to, and the link stays.
 * Throws StorageError for links in a circle.
 */
export async function throughLinks(path: string): Promise<string> {
  let target = resolve(path);
  for (let links = 0; links <= MOST_LINKS; links += 1) {
    const status = await lstat(target).catch(() => undefined);
    if (!status?.isSymbolicLink()) return target;
    target = resolve(dirname(target), await readlink(target));
  }
  throw new StorageError(`${path} is a link in a circle: it leads to itself. Name another place, or mend the link.`);
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full. Free some space, or name a place on another disk',
  EDQUOT: 'your share of the disk is used up. Free some space, or name a place on another disk',
  EFBIG: 'the file system does not hold files of this size. Name a place on another disk',
  EROFS: 'its file system is read-only. Name a place that can be written to',
  EACCES: 'you may not write there. Name another place, or ask for the right to write',
  EPERM: 'you may not write there. Name another place, or ask for the right to write',
  ENAMETOOLONG: 'the name is too long. Name another',
  EBUSY: 'another program uses it. Close that, or name another place',
  EXDEV: 'it lies on two disks. Name a place on one',
};

/** An error of the file system while `path` was written as a StorageError that says what helps; any other error as it is. */
export function explainWriting(error: unknown, path: string): unknown {
  if (error instanceof EspalierError) return error;
  const reason = REASONS[(error as NodeJS.ErrnoException | undefined)?.code ?? ''];
  return reason === undefined
    ? error
    : new StorageError(`${path} cannot be written: ${reason}. Nothing was kept under this name.`, { cause: error });
}

/** The result of writing to `path`; its errors are explained. */
export async function written<Result>(path: string, work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    throw explainWriting(error, path);
  }
}
