import { EspalierError, MissingError, UsageError } from '../errors.ts';
import { breathing } from '../runtime/breathing.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { RuntimeOptions } from './runtime-options.ts';

export type { BackendChoice, RuntimeOptions } from './runtime-options.ts';

/**
 * A runtime in Node, the caller's to dispose. 'webgpu' needs the optional package `webgpu` and a graphics driver; MissingError says what to install where one is missing.
 * Throws UsageError for an adapter that is not there or has no use, and DeviceError where the device cannot be opened.
 */
export async function createRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
  const { backend, threads, adapter, wasmPaths } = options;
  if (adapter !== undefined && backend !== 'webgpu' && backend !== 'auto')
    throw new UsageError(
      `The adapter "${adapter}" was chosen, but the backend ${backend ?? 'cpu'} uses none. Choose the backend webgpu.`,
    );
  if (backend === undefined) return onProcessor(options, (sentence) => process.emitWarning(sentence));
  if (backend === 'auto') return auto(options);
  if (backend === 'webgpu')
    return (await import('../runtime/node-webgpu.ts')).createNodeWebGpuRuntime(
      adapter === undefined ? {} : { adapter },
    );
  const onHost = threads === undefined ? {} : { threads };
  if (backend === 'cpu') return (await import('../runtime/node.ts')).createNodeRuntime(onHost);
  const { createWebRuntime } = await import('../runtime/web.ts');
  return breathing(await createWebRuntime({ backend, ...onHost, ...(wasmPaths !== undefined && { wasmPaths }) }));
}

async function auto({ adapter, ...options }: RuntimeOptions): Promise<Runtime> {
  const { listAdapters, createNodeWebGpuRuntime } = await import('../runtime/node-webgpu.ts');
  try {
    const card = adapter ?? (await listAdapters()).find(({ software }) => !software)?.name;
    if (card !== undefined) return await createNodeWebGpuRuntime({ adapter: card });
  } catch (error) {
    if (adapter !== undefined || !(error instanceof EspalierError)) throw error;
  }
  const { backend: _, ...rest } = options;
  return createRuntime(rest);
}

/** The cpu backend, or WebAssembly where its package is not installed, of which a sentence tells: it is slower. */
export async function onProcessor(options: RuntimeOptions, tell: (sentence: string) => void): Promise<Runtime> {
  try {
    return await createRuntime({ ...options, backend: 'cpu' });
  } catch (error) {
    if (!(error instanceof MissingError)) throw error;
    tell(`Computing on WebAssembly, on one thread. ${error.message.replace(/, or use the wasm backend\.$/, '.')}`);
    const { threads: _, ...rest } = options;
    return createRuntime({ ...rest, backend: 'wasm' });
  }
}
