import { EspalierError, UsageError } from '../../errors.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { createWebRuntime } from '../../runtime/web.ts';
import type { RuntimeOptions } from '../runtime-options.ts';

/**
 * A runtime in a browser, the caller's to dispose: on WebGPU by default. 'auto' takes WebAssembly where there is no graphics card.
 * Throws DeviceError where WebGPU cannot be used, saying which check failed, and UsageError for what only Node has.
 */
export async function createRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
  const { backend = 'webgpu', threads, adapter, wasmPaths } = options;
  if (backend === 'cpu')
    throw new UsageError('The backend cpu is that of Node. In a browser choose webgpu, wasm or auto.');
  if (adapter !== undefined)
    throw new UsageError(`The adapter "${adapter}" cannot be chosen in a browser, which chooses itself. Leave it out.`);
  const how = { ...(threads !== undefined && { threads }), ...(wasmPaths !== undefined && { wasmPaths }) };
  if (backend !== 'auto') return createWebRuntime({ backend, ...how });
  try {
    const runtime = await createWebRuntime({ backend: 'webgpu', ...how });
    if (!runtime.adapter?.software) return runtime;
    runtime.dispose();
  } catch (error) {
    if (!(error instanceof EspalierError)) throw error;
  }
  return createWebRuntime({ backend: 'wasm', ...how });
}
