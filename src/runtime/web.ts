import '../symbol-dispose.ts';
import type { InferenceSession } from 'onnxruntime-common';
import { UnsupportedError, UsageError } from '../errors.ts';
import { resolveExternalData } from './external-data.ts';
import { type GpuDevice, requestGpuDevice } from './gpu-device.ts';
import { hostMemory } from './host-memory.ts';
import { startWebHelper } from './kernels/web-helper.ts';
import { Ledger } from './ledger.ts';
import { type CreateInnerSession, OnnxRuntime } from './onnx-runtime.ts';
import { SerialQueue } from './queue.ts';
import type { Runtime } from './runtime.ts';
import { siteFolder } from './site.ts';
import { loadWebBuild, type WebBuild } from './web-build.ts';
import { WebGpuRuntime } from './webgpu-runtime.ts';

export { type WebGpuCheck, type WebGpuSupport, webgpuSupport } from './gpu-device.ts';
export { WebGpuRuntime } from './webgpu-runtime.ts';

/** How a runtime of a browser is made. */
export interface WebRuntimeOptions {
  /** Graphics device, or WebAssembly. */
  readonly backend: 'webgpu' | 'wasm';
  /**
   * WebAssembly threads; default: all cores but at most 8 where the page is isolated (cli/security-headers.ts), otherwise 1. Only 1 in Node.
   * The first runtime of a page decides for all.
   */
  readonly threads?: number;
  /** URL of the folder with ONNX Runtime's WebAssembly; default: beside its scripts, where bundlers and Node find it, and `ort/` of the studio's site. */
  readonly wasmPaths?: string;
}

/** ONNX Runtime's WebAssembly module is one per page and not re-entrant: all runtimes of a page share this queue. */
const queue = new SerialQueue();

/**
 * A runtime in the browser: 'webgpu' keeps tensors in GPU buffers, 'wasm' computes on the host.
 * Throws DeviceError when WebGPU cannot be used, saying which check failed, and UsageError for a wrong number of threads.
 */
export async function createWebRuntime(options: WebRuntimeOptions & { readonly backend: 'wasm' }): Promise<Runtime>;
/** The same with what tests ask of WebGPU. @internal */
export async function createWebRuntime(
  options: WebRuntimeOptions & { readonly backend: 'webgpu' },
): Promise<WebGpuRuntime>;
/** The same for a backend that is chosen elsewhere. */
export async function createWebRuntime(options: WebRuntimeOptions): Promise<Runtime>;
export async function createWebRuntime(options: WebRuntimeOptions): Promise<Runtime> {
  const threads = options.threads ?? defaultThreads();
  if (!Number.isInteger(threads) || threads < 1)
    throw new UsageError(`threads is ${threads}; give a whole number of at least 1.`);
  const site = siteFolder();
  const folder = options.wasmPaths ?? (site && new URL('ort/', site).href);
  if (globalThis.location === undefined && threads > 1)
    throw new UsageError(
      `threads is ${threads}, but outside a browser the wasm backend runs on one thread. Leave it out, or use the cpu backend.`,
    );
  const build = await loadWebBuild(options.backend);
  build.env.wasm.numThreads = threads;
  if (folder !== undefined) build.env.wasm.wasmPaths = folder;
  build.env.logLevel = 'fatal';
  return options.backend === 'wasm'
    ? createWasmRuntime(build, threads)
    : webGpuRuntimeOn(await requestGpuDevice(), build);
}

function createWasmRuntime(build: WebBuild, threads: number): Runtime {
  const ledger = new Ledger();
  return new OnnxRuntime({
    backend: 'wasm',
    description: `WebAssembly, ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
    memory: hostMemory(ledger, build.Tensor, false),
    ledger,
    queue,
    helpers: threads > 1 ? { count: threads - 1, start: startWebHelper } : undefined,
    behaviour: { survivesFailure: true },
    create: sessionFactory(build, { executionProviders: ['wasm'] }),
  });
}

/** A runtime on a device, which goes with it. `keepAlive` see `SerialQueue`. */
export async function webGpuRuntimeOn(
  { device, adapter, description }: GpuDevice,
  build: WebBuild,
  keepAlive?: SerialQueue['keepAlive'],
): Promise<WebGpuRuntime> {
  if (keepAlive) queue.keepAlive = keepAlive;
  // 'wgpuOnly': errors arrive as events of the device, which WebGpuRuntime watches; the stricter modes wait for the GPU process after every run.
  const create = sessionFactory(build, {
    executionProviders: [{ name: 'webgpu', device, validationMode: 'wgpuOnly' }],
    preferredOutputLocation: 'gpu-buffer',
  });
  const runtime = new WebGpuRuntime({ device, adapter, description, queue, create, TensorClass: build.Tensor });
  await runtime.start();
  return runtime;
}

function sessionFactory(
  { InferenceSession, streamsBlobs }: WebBuild,
  base: InferenceSession.SessionOptions,
): CreateInnerSession {
  return async (model, { label, externalData, graphCapture, optimization }) => {
    if ('path' in model)
      throw new UnsupportedError(
        `A model cannot be opened by its path ${model.path} in a browser. Give its bytes, and its external data as options.`,
      );
    return InferenceSession.create(model, {
      ...base,
      graphOptimizationLevel: optimization ?? 'all',
      enableGraphCapture: graphCapture ?? false,
      externalData: await resolveExternalData(externalData, streamsBlobs),
      logId: label ?? 'model',
      // Failures are thrown with their message; ONNX Runtime need not print them too.
      logSeverityLevel: 4,
    });
  };
}

function defaultThreads(): number {
  const navigator: { readonly hardwareConcurrency?: number } | undefined = globalThis.navigator;
  return globalThis.crossOriginIsolated ? Math.min(8, navigator?.hardwareConcurrency ?? 1) : 1;
}
