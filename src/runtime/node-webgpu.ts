import { setFlagsFromString } from 'node:v8';
import { DeviceError, MissingError, UsageError } from '../errors.ts';
import { isSoftware } from './adapter.ts';
import { openAdapter } from './gpu-device.ts';
import { webGpuRuntimeOn } from './web.ts';
import { loadWebBuild } from './web-build.ts';
import type { WebGpuRuntime } from './webgpu-runtime.ts';

/** An adapter of this machine as Dawn lists it. */
export interface ListedAdapter {
  readonly name: string;
  /** 'vulkan', 'metal', 'd3d12' … */
  readonly api: string;
  /** Whether it computes on the processor. */
  readonly software: boolean;
}

type Dawn = typeof import('webgpu');

/**
 * Two functions of ONNX Runtime's WebAssembly are so large that V8 takes 45 seconds of processor time to optimise them, at their fourth call by its own measure (1.8 million bytes run), and a process that has
 * ended waits for that. With this one they are optimised in long runs alone.
 */
const TIERING = '--wasm-tiering-budget=20000000';

/** What Dawn is waited for keeps no event loop alive; without other work Node would wait for V8's compiler, with all else at rest. */
const keepAlive = setInterval(() => undefined, 2 ** 30).unref();

/** No adapter has this name; asked for it, Dawn tells what there is. */
const NO_ADAPTER = 'none of them';

const INSTALL_DRIVER =
  'Install the driver of your graphics card with its Vulkan part (on Debian and Ubuntu: mesa-vulkan-drivers or the nvidia driver, and libvulkan1), or use --backend cpu.';

/** The graphics adapters of this machine; none where there is no driver. Throws MissingError where the package `webgpu` is not installed. */
export async function listAdapters(): Promise<readonly ListedAdapter[]> {
  const answer = await instance(await loadDawn(), NO_ADAPTER)
    .requestAdapter()
    .then(
      () => '',
      (error: unknown) => String(error),
    );
  return [...answer.matchAll(/backend: '([^']*)', name: '(.*)'$/gm)].map(([, api = '', name = '']) => ({
    name,
    api,
    software: isSoftware(name),
  }));
}

/**
 * The WebGPU runtime in Node: ONNX Runtime's WebGPU build, as in a browser, on a device of the package `webgpu` (Dawn), so that kernels of our own and device tensors work alike.
 * @param options.adapter part of the adapter's name as `listAdapters` tells it; default: the one that Dawn takes for the most powerful.
 * Throws MissingError where the package or an adapter is missing, saying what to install, and UsageError where no adapter has that name.
 */
export async function createNodeWebGpuRuntime(options: { readonly adapter?: string } = {}): Promise<WebGpuRuntime> {
  const dawn = await loadDawn();
  const gpu = instance(dawn, options.adapter === undefined ? undefined : await fullName(options.adapter));
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' }).catch((cause: unknown) => {
    throw new DeviceError(`The graphics driver refused: ${messageOf(cause)}. ${INSTALL_DRIVER}`, { cause });
  });
  if (!adapter) throw new MissingError(`This machine offers no graphics adapter to WebGPU. ${INSTALL_DRIVER}`);
  provideGlobals(dawn.globals, gpu);
  const opened = await openAdapter(adapter);
  copyShared(opened.device.queue);
  setFlagsFromString(TIERING);
  const build = await loadWebBuild('webgpu');
  build.env.wasm.numThreads = 1;
  build.env.logLevel = 'fatal';
  return webGpuRuntimeOn(opened, build, keepAlive);
}

/** The one adapter whose name has `part`. */
async function fullName(part: string): Promise<string> {
  const adapters = await listAdapters();
  const wanted = part.toLowerCase();
  const [found, second] = adapters.filter(({ name }) => name.toLowerCase().includes(wanted));
  if (found && (!second || found.name.toLowerCase() === wanted)) return found.name;
  const names = adapters.map(({ name }) => name).join('; ') || 'none';
  if (found) throw new UsageError(`Several adapters have "${part}" in their names: ${names}. Give more of the name.`);
  throw new UsageError(`No adapter has "${part}" in its name; there are: ${names}.`);
}

/** By the adapter's name. Kept for good: once Dawn's own object is collected, the next use of a device that came from it ends the process. */
const instances = new Map<string | undefined, GPU>();

function instance({ create }: Dawn, adapter: string | undefined): GPU {
  const gpu = instances.get(adapter) ?? create(adapter === undefined ? [] : [`adapter=${adapter}`]);
  instances.set(adapter, gpu);
  return gpu;
}

let loading: Promise<Dawn> | undefined;

function loadDawn(): Promise<Dawn> {
  loading ??= import('webgpu').catch((cause: unknown) => {
    loading = undefined;
    throw new MissingError(
      `WebGPU in Node needs the package webgpu, which cannot be loaded (${messageOf(cause)}). Install it with "npm install webgpu", or use --backend cpu.`,
      { cause },
    );
  });
  return loading;
}

/** ONNX Runtime and our own code find WebGPU's constants and classes, and the GPU itself, where browsers have them. */
function provideGlobals(globals: object, gpu: GPU): void {
  for (const [name, value] of Object.entries(globals))
    if (!(name in globalThis)) Object.assign(globalThis, { [name]: value });
  if (!('navigator' in globalThis)) Object.assign(globalThis, { navigator: {} });
  Object.defineProperty(globalThis.navigator, 'gpu', { value: gpu, configurable: true });
}

/** Lets a queue take views of shared memory, which Dawn's refuses and ONNX Runtime's WebAssembly is. */
function copyShared(queue: GPUQueue): void {
  const writeBuffer = queue.writeBuffer.bind(queue);
  queue.writeBuffer = (buffer, bufferOffset, data, dataOffset = 0, size) => {
    const unit = ArrayBuffer.isView(data) && 'BYTES_PER_ELEMENT' in data ? Number(data.BYTES_PER_ELEMENT) : 1;
    const bytes = ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      : new Uint8Array(data);
    const start = dataOffset * unit;
    const end = size === undefined ? bytes.length : start + size * unit;
    writeBuffer(
      buffer,
      bufferOffset,
      bytes.buffer instanceof ArrayBuffer ? bytes.subarray(start, end) : bytes.slice(start, end),
    );
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
}
