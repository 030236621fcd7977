import type { Model } from '../architecture/model.ts';
import { DeviceError, OutOfMemoryError } from '../errors.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { decoderForModel, type ModelDecoderOptions } from './model-decoder.ts';
import type { Reopen } from './recovering-sequence.ts';

type WebBackend = 'webgpu' | 'wasm';

/** Opens `model` on a new graphics device, or, where there is none or its memory was too small, on WebAssembly. The decoder owns the runtime that is made for it. */
export function reopenElsewhere(
  model: Model,
  createRuntime: (backend: WebBackend) => Promise<Runtime>,
  options: ModelDecoderOptions = {},
): Reopen {
  return async (fault) => {
    const backends: readonly WebBackend[] = fault instanceof OutOfMemoryError ? ['wasm'] : ['webgpu', 'wasm'];
    let last = fault;
    for (const backend of backends) {
      let runtime: Runtime | undefined;
      try {
        runtime = await createRuntime(backend);
        return { decoder: await decoderForModel(runtime, model, { ...options, owned: runtime }), owned: true };
      } catch (error) {
        runtime?.dispose();
        if (!(error instanceof DeviceError)) throw error;
        last = error;
      }
    }
    throw last;
  };
}
