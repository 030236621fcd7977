import { EspalierError, UsageError } from '../errors.ts';
import type { Backend, Runtime } from '../runtime/runtime.ts';

/** Where to compute. 'auto' takes a graphics card where there is one, and never an adapter in software, which is slower than the processor's own backend. */
export type BackendChoice = Backend | 'auto';

export interface RuntimeOptions {
  /** Default 'cpu' in Node, 'webgpu' in a browser. */
  readonly backend?: BackendChoice;
  /** Threads of 'cpu' and 'wasm'. */
  readonly threads?: number;
  /** In Node: a part of the graphics adapter's name, for 'webgpu' and 'auto'. Default: the most powerful one. */
  readonly adapter?: string;
}

/**
 * A runtime, the caller's to dispose. In Node 'webgpu' needs the optional package `webgpu` and a graphics driver; MissingError says what to install where one is missing.
 * Throws UsageError for an adapter that is not there or has no use, and DeviceError where the device cannot be opened.
 */
export async function createRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
  const inBrowser = 'document' in globalThis || 'WorkerGlobalScope' in globalThis;
  const { backend = inBrowser ? 'webgpu' : 'cpu', threads, adapter } = options;
  if (adapter !== undefined && (backend === 'cpu' || backend === 'wasm'))
    throw new UsageError(
      `The adapter "${adapter}" was chosen, but the backend ${backend} uses none. Choose the backend webgpu.`,
    );
  if (backend === 'auto') return inBrowser ? autoInBrowser(options) : autoInNode(options);
  if (backend === 'webgpu' && !inBrowser)
    return (await import('../runtime/node-webgpu.ts')).createNodeWebGpuRuntime(
      adapter === undefined ? {} : { adapter },
    );
  const onHost = threads === undefined ? {} : { threads };
  if (backend === 'cpu') return (await import('../runtime/node.ts')).createNodeRuntime(onHost);
  return (await import('../runtime/web.ts')).createWebRuntime({ backend, ...onHost });
}

async function autoInNode({ adapter, ...options }: RuntimeOptions): Promise<Runtime> {
  const { listAdapters, createNodeWebGpuRuntime } = await import('../runtime/node-webgpu.ts');
  try {
    const card = adapter ?? (await listAdapters()).find(({ software }) => !software)?.name;
    if (card !== undefined) return await createNodeWebGpuRuntime({ adapter: card });
  } catch (error) {
    if (adapter !== undefined || !(error instanceof EspalierError)) throw error;
  }
  return createRuntime({ ...options, backend: 'cpu' });
}

async function autoInBrowser(options: RuntimeOptions): Promise<Runtime> {
  try {
    const runtime = await createRuntime({ ...options, backend: 'webgpu' });
    if (!runtime.adapter?.software) return runtime;
    runtime.dispose();
  } catch (error) {
    if (!(error instanceof EspalierError)) throw error;
  }
  return createRuntime({ ...options, backend: 'wasm' });
}
