import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { DownloadPlan } from '../checkpoint/store/hub.ts';
import type { LongRunning } from '../progress.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { createRuntime, type RuntimeOptions } from './create-runtime.ts';
import { OpenModel } from './open-model.ts';

export interface OpenModelOptions extends LongRunning, RuntimeOptions {
  /** A runtime that stays the caller's, or a function that starts one, which goes with the model. Default: one of `backend`. */
  readonly runtime?: Runtime | (() => Promise<Runtime>);
  readonly residentBytes?: number;
  /** Leave out tensors that the architecture does not read, instead of refusing the model. Default false. */
  readonly ignoreTensors?: boolean;
  /** Called before a model of a hub is downloaded. */
  readonly onDownload?: (plan: DownloadPlan) => void;
}

/**
 * Opens a model: a checkpoint, or in Node a name (an embedded id, a folder, a weight file, a hub id). Dispose it after use (`using`).
 * Throws MissingError, FileFormatError or UnsupportedError saying what is wrong with the model.
 */
export async function openModel(source: string | Checkpoint, options: OpenModelOptions = {}): Promise<OpenModel> {
  const { signal, onProgress, onDownload, residentBytes, ignoreTensors = false } = options;
  const checkpoint =
    typeof source === 'string'
      ? await (await import('../checkpoint/local.ts')).openNamed(source, {
          signal,
          onProgress,
          ...(onDownload && { onPlan: onDownload }),
        })
      : source;
  const given = typeof options.runtime === 'object' ? options.runtime : undefined;
  const runtime = given ?? (await (typeof options.runtime === 'function' ? options.runtime() : createRuntime(options)));
  try {
    return new OpenModel(runtime, checkpoint, {
      ...(residentBytes === undefined ? {} : { residentBytes }),
      ignoreTensors,
      ownsRuntime: given === undefined,
    });
  } catch (error) {
    if (!given) runtime.dispose();
    throw error;
  }
}
