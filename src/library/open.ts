import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { openNamed } from '../checkpoint/local.ts';
import { createRuntime } from './create-runtime.ts';
import { openExportedFolder } from './disk.ts';
import { type ExportedModel, type OpenExportedOptions, openExportOn } from './exported-model.ts';
import type { OpenModel } from './open-model.ts';
import { type OpenModelOptions, openOn, type Platform } from './open-on.ts';

const NODE: Platform = {
  openNamed: (name, { onDownload, ...options }) =>
    openNamed(name, { ...options, ...(onDownload && { onPlan: onDownload }) }),
  createRuntime,
};

/**
 * Opens a model in Node: a checkpoint, or a name (an embedded id, a folder, a weight file, a hub id such as `org/name@revision`, which is downloaded once). Dispose it
 * after use (`using`). Throws MissingError, FileFormatError or UnsupportedError saying what is wrong with the model.
 */
export function openModel(source: string | Checkpoint, options: OpenModelOptions = {}): Promise<OpenModel> {
  return openOn(NODE, source, options);
}

/**
 * Opens what `prune` wrote, a folder on disk in the layout of transformers.js, for generation and evaluation. A decoder in half precision that is wrong is replaced by one
 * in single precision, and `onNote` is told. Dispose it after use (`using`). Throws MissingError when the folder has no decoder.
 */
export function openExported(folder: string, options: OpenExportedOptions = {}): Promise<ExportedModel> {
  return openExportOn(NODE, options, (runtime) => openExportedFolder(runtime, folder, options.onNote));
}
