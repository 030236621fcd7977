import { EspalierError } from '../../errors.ts';
import { isSoftware } from '../../runtime/adapter.ts';
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
  /** Why WebGPU is not used; undefined when it is. */
  readonly reason: string | undefined;
  readonly checks: readonly BackendCheck[];
}

/** Which backend to try: `auto` prefers WebGPU and falls back to WASM with a reason. */
export type BackendChoice = 'auto' | 'webgpu' | 'wasm';

/** What the choice of a backend needs of the platform. */
export interface BackendPlatform {
  support(): Promise<WebGpuSupport>;
  createRuntime(backend: 'webgpu' | 'wasm'): Promise<Runtime>;
}

const ONE_THREAD =
  'It has one thread, since this page is not isolated: the server does not send the headers for that (COOP and COEP), and no service worker could add them here, as in private windows and inside other pages.';

/**
 * Starts the backend that was asked for. `auto` takes WebGPU where a real adapter is there and starts, otherwise WASM with the reason.
 * Throws what the runtime throws when the backend that was asked for by name cannot start.
 */
export async function startBackend(
  choice: BackendChoice,
  platform: BackendPlatform,
): Promise<{ readonly runtime: Runtime; readonly info: BackendInfo }> {
  const support = await platform.support();
  const { checks } = support;
  const refusal =
    choice === 'wasm'
      ? 'WASM was asked for in the address (backend=wasm).'
      : choice === 'auto'
        ? refusalOf(support)
        : undefined;
  if (refusal === undefined) {
    try {
      const runtime = await platform.createRuntime('webgpu');
      return {
        runtime,
        info: { backend: 'webgpu', description: support.adapter ?? runtime.description, reason: undefined, checks },
      };
    } catch (error) {
      if (choice !== 'auto' || !(error instanceof EspalierError)) throw error;
      return wasm(platform, checks, error.message);
    }
  }
  return wasm(platform, checks, refusal);
}

async function wasm(platform: BackendPlatform, checks: BackendInfo['checks'], reason: string) {
  const runtime = await platform.createRuntime('wasm');
  const { crossOriginIsolated }: { crossOriginIsolated?: boolean } = globalThis;
  const threads = crossOriginIsolated === false ? ` ${ONE_THREAD}` : '';
  return {
    runtime,
    info: { backend: 'wasm', description: runtime.description, reason: `${reason}${threads}`, checks } as const,
  };
}

/** Why WebGPU is not taken by itself; undefined when it is. */
function refusalOf({ available, reason, adapter }: WebGpuSupport): string | undefined {
  if (!available) return `WebGPU cannot be used here. ${reason}`;
  if (adapter && isSoftware(adapter))
    return `The only WebGPU adapter (${adapter}) computes on the processor; WASM does that faster.`;
  return undefined;
}
