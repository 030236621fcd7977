import { randomBytes } from 'node:crypto';
import { openAsBlob } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { diskFolder } from '../checkpoint/files/disk.ts';
import { UsageError } from '../errors.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { OpenedModel, OutputFolder } from './output-folder.ts';
import { explainWriting, throughLinks, written } from './writing.ts';

/** What tells a folder that an export wrote, and that another may replace. */
const MARK = 'espalier.json';

/**
 * A folder on disk. Files are written to a hidden folder beside it, which takes the final name with `publish`.
 * A folder that is there already is replaced only when it is empty or an earlier export; otherwise UsageError, before anything is written.
 */
export async function diskOutput(path: string): Promise<OutputFolder> {
  const target = await throughLinks(path);
  await checkReplaceable(target, path);
  const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(4).toString('hex')}.partial`);
  const removeParents = await makeFolder(dirname(target));
  await written(path, mkdir(temporary));
  let published = false;
  const remove = async () => {
    await rm(temporary, { recursive: true, force: true });
    await removeParents();
  };
  return {
    async write(name, chunks) {
      const file = join(temporary, name);
      await written(path, mkdir(dirname(file), { recursive: true }));
      const handle = await written(path, open(file, 'wx'));
      try {
        for await (const chunk of chunks) await written(path, handle.writeFile(chunk));
        await written(path, handle.sync());
      } finally {
        await handle.close();
      }
    },
    openModel: (name, dataName, backend) => openOnDisk(join(temporary, name), backend, [basename(dataName)]),
    reopen: () => diskFolder(temporary),
    async publish() {
      await checkReplaceable(target, path);
      const old = `${temporary}.old`;
      const replaced = await rename(target, old).then(
        () => true,
        () => false,
      );
      try {
        await rename(temporary, target);
      } catch (error) {
        if (replaced) await rename(old, target);
        throw explainWriting(error, path);
      }
      published = true;
      if (replaced) await rm(old, { recursive: true, force: true });
    },
    async discard() {
      if (!published) await remove();
    },
  };
}

/** A model file for a session on `backend`. The CPU's finds external data by itself; others take the bytes, with the files of `dataNames` beside the model as blobs. */
export async function openOnDisk(
  path: string,
  backend: Runtime['backend'],
  dataNames?: readonly string[],
): Promise<OpenedModel> {
  if (backend === 'cpu') return { model: { path } };
  const folder = dirname(path);
  // Of graphs that other tools wrote, weights lie in files of any name.
  const names = dataNames ?? (await readdir(folder)).filter((name) => !/\.(onnx|json|md|txt)$/.test(name));
  const externalData = Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await openAsBlob(join(folder, name))] as const)),
  );
  return { model: await readFile(path), externalData };
}

/** Makes a folder and those above it. Returns what takes them away again: those that were not there before, as far as they are empty. */
export async function makeFolder(path: string): Promise<() => Promise<void>> {
  const made = await written(path, mkdir(path, { recursive: true }));
  return async () => {
    if (made === undefined) return;
    const topmost = resolve(made);
    for (let folder = resolve(path); folder.startsWith(topmost); folder = dirname(folder)) {
      const isGone = await rmdir(folder).then(
        () => true,
        () => false,
      );
      if (!isGone) return;
    }
  };
}

async function checkReplaceable(target: string, path: string): Promise<void> {
  const names = await readdir(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new UsageError(
      `${path} cannot become the output folder: ${error.code === 'ENOTDIR' ? 'it is a file' : error.message}. Name another.`,
      {
        cause: error,
      },
    );
  });
  if (names && names.length > 0 && !names.includes(MARK))
    throw new UsageError(
      `${path} has files that no export wrote (${names.slice(0, 3).join(', ')}). Name another output folder, or empty it.`,
    );
}
