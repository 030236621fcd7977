import { diskFolder } from '../checkpoint/files/disk.ts';
import { openOnDisk } from '../export/disk.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type ExportedModel, isExported, openExportedFiles } from './exported-model.ts';

/** What the verbs read and write on a disk, in Node. */
export { defaultStoreFolder, diskFolder, diskSource } from '../checkpoint/files/disk.ts';
export { packageRoot } from '../checkpoint/files/package-root.ts';
export { embeddedFolder } from '../checkpoint/local.ts';
export { tryDiskLock } from '../checkpoint/store/disk-lock.ts';
export { diskOutput, makeFolder } from '../export/disk.ts';
export { explainWriting, throughLinks, written } from '../export/writing.ts';

/** Whether a folder holds an exported decoder and no checkpoint: what runs, and is measured, is the decoder. */
export async function isExportedFolder(path: string): Promise<boolean> {
  return isExported(await diskFolder(path));
}

/** Opens the exported decoder of a folder. Throws what `openExportedFiles` throws; `onNote` is told what people should know. */
export async function openExportedFolder(
  runtime: Runtime,
  path: string,
  onNote?: (sentence: string) => void,
): Promise<ExportedModel> {
  const open = (file: string) => openOnDisk(`${path}/${file}`, runtime.backend);
  return openExportedFiles(runtime, await diskFolder(path), open, onNote);
}
