import type { Adapter } from '../../runtime/adapter.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { WebGpuRuntime } from '../../runtime/webgpu-runtime.ts';

/** What a runtime computes on. */
export interface ComputeDevice {
  readonly backend: string;
  readonly description: string;
  readonly adapter: Adapter | undefined;
  /** Of the graphics device: what was granted. Empty on a host. */
  readonly limits: Readonly<Record<string, number>>;
  readonly features: readonly string[];
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

/** Backend, adapter, and of a graphics device the limits and features that it was granted. */
export function computeDevice(runtime: Runtime): ComputeDevice {
  const device = runtime instanceof WebGpuRuntime ? runtime.device : undefined;
  return {
    ...{ backend: runtime.backend, description: runtime.description, adapter: runtime.adapter },
    limits: Object.fromEntries(TOLD_LIMITS.flatMap((name) => (device ? [[name, device.limits[name]]] : []))),
    features: device ? [...device.features].map(String).sort() : [],
  };
}
