import { type ProductSpeed, productSpeeds } from '../../evaluate/speed/products.ts';
import { VERSION } from '../../library/version.ts';
import type { LongRunning } from '../../progress.ts';
import type { Adapter } from '../../runtime/adapter.ts';
import { WebGpuRuntime } from '../../runtime/web.ts';
import type { Bench } from './bench.ts';

/** What the engine computes on, and how fast it multiplies. */
export interface DeviceFacts {
  readonly version: string;
  readonly backend: string;
  readonly description: string;
  readonly adapter: Adapter | undefined;
  /** Of the graphics device: what was granted. Empty on a host. */
  readonly limits: Readonly<Record<string, number>>;
  readonly features: readonly string[];
  readonly products: readonly ProductSpeed[];
}

export interface DeviceCalls {
  device(options?: LongRunning): Promise<DeviceFacts>;
}

/** Limits that decide what fits, of some fifty. */
const TOLD_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
] as const;
/** Rows of a token, and of a prompt. */
const REQUEST = { size: 1024, rows: [1, 128], milliseconds: 1500 } as const;

export function deviceCalls(bench: Bench): DeviceCalls {
  return {
    device: (options = {}) =>
      bench.heavy(async () => {
        const { runtime } = bench.model;
        const device = runtime instanceof WebGpuRuntime ? runtime.device : undefined;
        return {
          ...{ version: VERSION, backend: runtime.backend, description: runtime.description, adapter: runtime.adapter },
          limits: Object.fromEntries(TOLD_LIMITS.flatMap((name) => (device ? [[name, device.limits[name]]] : []))),
          features: device ? [...device.features].map(String).sort() : [],
          products: await productSpeeds(runtime, REQUEST, options),
        };
      }, options),
  };
}
