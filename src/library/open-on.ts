import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { DownloadPlan } from '../checkpoint/store/hub.ts';
import type { LongRunning } from '../progress.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { OpenModel } from './open-model.ts';
import type { RuntimeOptions } from './runtime-options.ts';

/** Where models of a hub come from. */
export interface HubSource {
  /** The hub's address. Default: the public one; in Node that of HF_ENDPOINT, where it is set. */
  readonly endpoint?: string | undefined;
  /** An access token, for private and gated models; it is kept nowhere. Default: none; in Node HF_TOKEN's, for the hub of HF_ENDPOINT (or huggingface.co) alone. */
  readonly token?: string | undefined;
  /** Called before a model is downloaded. */
  readonly onDownload?: ((plan: DownloadPlan) => void) | undefined;
}

/** How a model is opened. */
export interface OpenModelOptions extends LongRunning, RuntimeOptions, HubSource {
  /** A runtime that stays the caller's, or a function that starts one, which goes with the model. Default: one of `backend`. */
  readonly runtime?: Runtime | (() => Promise<Runtime>);
  /** Weights up to this size stay on the device between runs. Default 256 MiB. */
  readonly residentBytes?: number;
  /** Leave out tensors that the architecture does not read, instead of refusing the model. Default false. */
  readonly ignoreTensors?: boolean;
}

/** What of opening depends on where it happens. */
export interface Platform {
  /** The checkpoint of a name. */
  openNamed(name: string, options: LongRunning & HubSource): Promise<Checkpoint>;
  createRuntime(options: RuntimeOptions): Promise<Runtime>;
}

/** Opens a model on a platform. Throws what the platform and `OpenModel` throw. */
export async function openOn(
  platform: Platform,
  source: string | Checkpoint,
  options: OpenModelOptions,
): Promise<OpenModel> {
  const { residentBytes, ignoreTensors = false } = options;
  const checkpoint = typeof source === 'string' ? await platform.openNamed(source, options) : source;
  const { runtime, ownsRuntime } = await startRuntime(platform, options);
  try {
    return new OpenModel(runtime, checkpoint, {
      ...(residentBytes === undefined ? {} : { residentBytes }),
      ignoreTensors,
      ownsRuntime,
    });
  } catch (error) {
    if (ownsRuntime) runtime.dispose();
    throw error;
  }
}

/** The runtime that is given, or one that goes with what is opened. */
export async function startRuntime(
  platform: Pick<Platform, 'createRuntime'>,
  options: Pick<OpenModelOptions, 'runtime'> & RuntimeOptions,
): Promise<{ readonly runtime: Runtime; readonly ownsRuntime: boolean }> {
  const { runtime } = options;
  if (typeof runtime === 'object') return { runtime, ownsRuntime: false };
  return { runtime: await (runtime ? runtime() : platform.createRuntime(options)), ownsRuntime: true };
}
