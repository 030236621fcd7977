import { DeviceError, DeviceLostError } from '../../errors.ts';
import { OpenModel } from '../../library/open-model.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { BackendPlatform } from './backend.ts';

/** The runtime that takes the place of one whose device is lost: a new device, or WebAssembly where there is none. */
export async function replacementRuntime({ createRuntime }: BackendPlatform): Promise<Runtime> {
  return createRuntime('webgpu').catch((error: unknown) => {
    if (!(error instanceof DeviceError)) throw error;
    return createRuntime('wasm');
  });
}

/** The same model on another runtime; the one before, and all that it had on its device, is disposed. */
export function movedTo(runtime: Runtime, before: OpenModel): OpenModel {
  const { checkpoint } = before.model;
  before.dispose();
  return new OpenModel(runtime, checkpoint);
}

/** What a reader is told. */
export function lossSentence(runtime: Runtime): string {
  return `The graphics device was lost; the model was opened again on ${runtime.description}.`;
}

/**
 * Does `work`, and when the device is lost on the way lets `replace` put another in its place and does it again, once. Where `mayRepeat` says that what is done cannot be
 * done over (words that were shown), or the second device is lost as well, throws DeviceLostError; the next call finds a device that works.
 */
export async function survivingLoss<Result>(
  work: () => Promise<Result>,
  replace: () => Promise<string>,
  mayRepeat: () => boolean,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DeviceLostError)) throw error;
    const sentence = await replace();
    if (!mayRepeat()) throw new DeviceLostError(`${sentence} Start again.`, { cause: error });
    return work();
  }
}
