import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { blobFiles } from '../../checkpoint/files/file.ts';
import type { FileAccess } from '../../checkpoint/files/files.ts';
import { httpFolder } from '../../checkpoint/files/http.ts';
import { opfsStore } from '../../checkpoint/files/opfs.ts';
import { openCheckpoint } from '../../checkpoint/folder.ts';
import { openHubModel, planDownload } from '../../checkpoint/store/hub.ts';
import { parseHubModel } from '../../checkpoint/store/hub-model.ts';
import { MissingError, UsageError } from '../../errors.ts';
import type { LongRunning } from '../../progress.ts';
import { type ExportedModel, type OpenExportedOptions, openExportedFiles, openExportOn } from '../exported-model.ts';
import type { OpenModel } from '../open-model.ts';
import { type HubSource, type OpenModelOptions, openOn, type Platform } from '../open-on.ts';
import { createRuntime } from './runtime.ts';

const BROWSER: Platform = { openNamed, createRuntime };

/**
 * Opens a model in a browser: a checkpoint (`openCheckpoint` of a folder of blobs or behind HTTP), or a hub id such as `org/name@revision`. In a worker a hub's model is
 * downloaded once, into the private file system of the site; on a page, which cannot write there, it is read by ranges as it is needed and kept nowhere.
 * Dispose it after use. Throws MissingError, FileFormatError or UnsupportedError saying what is wrong with the model, and NetworkError where the hub is not reached.
 */
export function openModel(source: string | Checkpoint, options: OpenModelOptions = {}): Promise<OpenModel> {
  return openOn(BROWSER, source, options);
}

async function openNamed(name: string, options: LongRunning & HubSource): Promise<Checkpoint> {
  const { endpoint, token, onDownload, signal, onProgress } = options;
  const model = parseHubModel(name, endpoint);
  if (!model)
    throw new UsageError(
      `"${name}" is no model of a hub, such as org/name. Open other models by openCheckpoint, from files or an address.`,
    );
  if ('DedicatedWorkerGlobalScope' in globalThis)
    return openHubModel(model, opfsStore(), {
      token,
      signal,
      ...(onProgress && { onProgress }),
      ...(onDownload && { onPlan: onDownload }),
    });
  const plan = await planDownload(model, { files: async () => blobFiles(model.id, new Map()) }, { token, signal });
  onDownload?.(plan);
  const request = {
    ...(token !== undefined && { headers: { Authorization: `Bearer ${token}` } }),
    ...(signal && { signal }),
  };
  // By commit: a branch may move while the model is being read.
  const address = `${model.endpoint}/${model.id}/resolve/${plan.commit}/`;
  const names = plan.files.map(({ name }) => name);
  return openCheckpoint(httpFolder(address, model.id, request, names), {
    ...(model.file !== undefined && { weights: model.file }),
    name: model.id,
  });
}

/**
 * Opens what `prune` wrote, a folder in the layout of transformers.js (of blobs, or behind HTTP), for generation and evaluation. A decoder in half precision that is wrong
 * is replaced by one in single precision, and `onNote` is told. Dispose it after use. Throws MissingError when the folder has no decoder.
 */
export function openExported(folder: FileAccess, options: OpenExportedOptions = {}): Promise<ExportedModel> {
  const open = async (name: string) => {
    const data = `${name}_data`;
    const external = await folder.open(data);
    return {
      model: await whole(folder, name),
      ...(external && { externalData: { [data.slice(data.lastIndexOf('/') + 1)]: await whole(folder, data) } }),
    };
  };
  return openExportOn(BROWSER, options, (runtime) => openExportedFiles(runtime, folder, open, options.onNote));
}

async function whole(folder: FileAccess, name: string): Promise<Uint8Array> {
  const source = await folder.open(name);
  if (!source) throw new MissingError(`${folder.name} has no ${name}. Give all files of the export.`);
  return source.read(0, source.byteLength);
}
