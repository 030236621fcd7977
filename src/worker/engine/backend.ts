import { DeviceError, EspalierError } from '../../errors.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { WebGpuSupport } from '../../runtime/web.ts';

/** One check on the way to WebGPU, in the order in which they were made. */
export interface BackendCheck {
  /** For people, e.g. 'An adapter is offered'. */
  readonly name: string;
  readonly passed: boolean;
  readonly detail: string;
}

/** Where the engine computes, and why there. */
export interface BackendInfo {
  readonly backend: 'webgpu' | 'wasm';
  /** The adapter's vendor and architecture, or the number of WASM threads. */
  readonly description: string;
  /** Whether scoring may compute in half precision. */
  readonly halfPrecision?: boolean;
  /** Why WebGPU is not used; undefined when it is. */
  readonly reason: string | undefined;
  readonly checks: readonly BackendCheck[];
  /** What this page or browser lacks beside WebGPU, in sentences that say what does not work for it. */
  readonly lacks: readonly string[];
}

/** Which backend to try: `auto` prefers WebGPU and falls back to WASM with a reason. */
export type BackendChoice = 'auto' | 'webgpu' | 'wasm';

/** What the choice of a backend needs of the platform. */
export interface BackendPlatform {
  support(): Promise<WebGpuSupport>;
  createRuntime(backend: 'webgpu' | 'wasm'): Promise<Runtime>;
  /** Whether the origin's private file system may be used; absent where that is no matter. */
  keepsFiles?(): Promise<boolean>;
}

const ONE_THREAD =
  'It has one thread, since this page is not isolated: the server does not send the headers for that (COOP and COEP), and no service worker could add them here, as in private windows and inside other pages.';
const NO_FILES =
  'This browser gives the page no private file system (OPFS): models of the hub cannot be stored here (download their files and open the folder), and scoring or training that is interrupted begins anew.';
const NO_WEBASSEMBLY =
  "This page may not compile WebAssembly, and nothing can be computed: the server's Content-Security-Policy forbids it. Its script-src needs 'wasm-unsafe-eval' (deploy/nginx/studio.conf has a policy that works).";
/** The smallest module: its magic number and version. */
const EMPTY_MODULE = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);

/**
 * Starts the backend that was asked for. `auto` takes WebGPU where a real adapter is there and starts, otherwise WASM with the reason.
 * Throws DeviceError where the page's policy forbids WebAssembly, and what the runtime throws when the backend that was asked for by name cannot start.
 */
export async function startBackend(
  choice: BackendChoice,
  platform: BackendPlatform,
): Promise<{ readonly runtime: Runtime; readonly info: BackendInfo }> {
  await compilesWebAssembly();
  const support = await platform.support();
  const { checks } = support;
  const lacks = (await platform.keepsFiles?.()) === false ? [NO_FILES] : [];
  const refusal =
    choice === 'wasm'
      ? 'WASM was asked for in the address (backend=wasm).'
      : choice === 'auto'
        ? refusalOf(support)
        : undefined;
  if (refusal === undefined) {
    try {
      const runtime = await platform.createRuntime('webgpu');
      const description = support.adapter ?? runtime.description;
      const halfPrecision = runtime.adapter?.halfPrecision ?? false;
      return { runtime, info: { backend: 'webgpu', description, halfPrecision, reason: undefined, checks, lacks } };
    } catch (error) {
      if (choice !== 'auto' || !(error instanceof EspalierError)) throw error;
      return wasm(platform, checks, lacks, error.message);
    }
  }
  return wasm(platform, checks, lacks, refusal);
}

async function wasm(
  platform: BackendPlatform,
  checks: BackendInfo['checks'],
  lacks: readonly string[],
  reason: string,
) {
  const runtime = await platform.createRuntime('wasm');
  const { crossOriginIsolated }: { crossOriginIsolated?: boolean } = globalThis;
  const info = { backend: 'wasm', description: runtime.description, reason, checks } as const;
  return { runtime, info: { ...info, lacks: crossOriginIsolated === false ? [ONE_THREAD, ...lacks] : lacks } };
}

/** Both backends are WebAssembly: a policy that forbids it is told by its name, before the runtime's own error. */
async function compilesWebAssembly(): Promise<void> {
  try {
    await WebAssembly.compile(EMPTY_MODULE);
  } catch (cause) {
    throw new DeviceError(NO_WEBASSEMBLY, { cause });
  }
}

/** Why WebGPU is not taken by itself; undefined when it is. */
function refusalOf({ available, reason, adapter, software }: WebGpuSupport): string | undefined {
  if (!available) return `WebGPU cannot be used here. ${reason}`;
  if (software) return `The only WebGPU adapter (${adapter}) computes on the processor; WASM does that faster.`;
  return undefined;
}
