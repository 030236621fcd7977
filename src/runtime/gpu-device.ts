import { DeviceError, UnsupportedError } from '../errors.ts';
import { type Adapter, adapterLabel, describeAdapter } from './adapter.ts';

/** One check on the way to WebGPU, in the order in which they are made. */
export interface WebGpuCheck {
  /** What was looked at. */
  readonly name: string;
  /** Whether it is there. */
  readonly passed: boolean;
  /** What was found. */
  readonly detail: string;
}

/** Whether this browser has WebGPU. */
export interface WebGpuSupport {
  /** Whether a runtime can be made. */
  readonly available: boolean;
  /** Why not; undefined when available. */
  readonly reason: string | undefined;
  /** 'nvidia ampere'; undefined without an adapter. */
  readonly adapter: string | undefined;
  /** Whether that adapter computes on the processor: no graphics card. */
  readonly software: boolean;
  /** What was looked at, in order. */
  readonly checks: readonly WebGpuCheck[];
}

type Limit = keyof GPUSupportedLimits & string;

/** Limits that are raised from the defaults to what the adapter offers, each with its reason and with what is needed at least. */
const LIMITS: readonly { readonly limit: Limit; readonly least: number; readonly reason: string }[] = [
  { limit: 'maxBufferSize', least: 2 ** 28, reason: 'an embedding matrix is one buffer' },
  { limit: 'maxStorageBufferBindingSize', least: 2 ** 27, reason: 'a kernel binds whole matrices' },
  { limit: 'maxStorageBuffersPerShaderStage', least: 8, reason: 'fused attention binds many tensors' },
  { limit: 'maxBindGroups', least: 4, reason: 'ONNX Runtime asks for it' },
  { limit: 'maxComputeWorkgroupStorageSize', least: 16384, reason: 'matrix tiles are kept in workgroup memory' },
  { limit: 'maxComputeInvocationsPerWorkgroup', least: 256, reason: 'larger matrix tiles' },
  { limit: 'maxComputeWorkgroupSizeX', least: 256, reason: 'larger matrix tiles' },
  { limit: 'maxComputeWorkgroupSizeY', least: 256, reason: 'larger matrix tiles' },
  { limit: 'maxComputeWorkgroupSizeZ', least: 64, reason: 'larger matrix tiles' },
  { limit: 'maxComputeWorkgroupsPerDimension', least: 65535, reason: 'elementwise kernels over long batches' },
];

/** Features that are used where the adapter has them, each with its reason. */
const FEATURES: readonly { readonly feature: GPUFeatureName; readonly reason: string }[] = [
  { feature: 'shader-f16', reason: 'half precision weights' },
  { feature: 'subgroups', reason: 'faster reductions and matrix products' },
  { feature: 'timestamp-query', reason: 'kernel times in profiles' },
];

/** Opens the adapter that WebGPU would use and says which check failed, if any. Never throws. */
export async function webgpuSupport(): Promise<WebGpuSupport> {
  const { checks, adapter } = await examine();
  const failed = checks.find((check) => !check.passed);
  return {
    available: !failed,
    reason: failed && `${failed.name}: ${failed.detail}`,
    adapter: adapter && adapterLabel(adapter.info),
    software: adapter !== undefined && describeAdapter(adapter).software,
    checks,
  };
}

/** A device of the page's adapter. Throws DeviceError naming the failed check. */
export async function requestGpuDevice(): Promise<GpuDevice> {
  const { checks, adapter } = await examine();
  const failed = checks.find((check) => !check.passed);
  if (failed || !adapter)
    throw new DeviceError(
      `WebGPU cannot be used. ${failed?.name}: ${failed?.detail} Use the wasm backend, or a browser and machine with WebGPU.`,
    );
  return openAdapter(adapter);
}

export interface GpuDevice {
  readonly device: GPUDevice;
  readonly adapter: Adapter;
  /** Vendor and architecture. */
  readonly description: string;
}

/**
 * A device with all that `LIMITS` and `FEATURES` ask for and the adapter has. Throws UnsupportedError where a limit is below what is needed, and DeviceError where the adapter
 * gives no device.
 */
export async function openAdapter(adapter: GPUAdapter): Promise<GpuDevice> {
  const description = adapterLabel(adapter.info);
  const requiredLimits: Record<string, number> = {};
  for (const { limit, least, reason } of LIMITS) {
    const offered = adapter.limits[limit];
    if (typeof offered !== 'number') continue;
    if (offered < least)
      throw new UnsupportedError(
        `The adapter ${description} offers a ${limit} of ${offered}, but at least ${least} is needed (${reason}). Update its driver, or use another adapter or backend.`,
      );
    requiredLimits[limit] = offered;
  }
  const requiredFeatures = FEATURES.map(({ feature }) => feature).filter(
    (feature) => adapter.features.has(feature) && isUsable(feature, adapter),
  );
  const device = await adapter
    .requestDevice({ label: 'espalier', requiredLimits, requiredFeatures })
    .catch((error: unknown) => {
      throw new DeviceError(
        `The adapter ${description} gave no device: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error },
      );
    });
  return { device, adapter: describeAdapter(adapter), description };
}

/**
 * ONNX Runtime 1.30's attention over 32 tokens or more is wrong with subgroups of 8 or fewer, which software adapters have (SwiftShader: 4, lavapipe: 8).
 * Graphics cards whose subgroups may have 8 but also more (Intel: 8 to 32) are not among them.
 */
const SMALLEST_SUBGROUPS = { least: 8, most: 16 };

function isUsable(feature: GPUFeatureName, { info }: GPUAdapter): boolean {
  if (feature !== 'subgroups') return true;
  const { least, most } = SMALLEST_SUBGROUPS;
  return !(info.subgroupMinSize < least) && !(info.subgroupMaxSize < most);
}

async function examine(): Promise<{
  readonly checks: readonly WebGpuCheck[];
  readonly adapter: GPUAdapter | undefined;
}> {
  const checks: WebGpuCheck[] = [];
  const check = (name: string, passed: boolean, detail: string): boolean => {
    checks.push({ name, passed, detail });
    return passed;
  };
  if (!check('Secure page', globalThis.isSecureContext === true, 'WebGPU needs https:// or localhost.'))
    return { checks, adapter: undefined };
  const gpu: GPU | undefined = globalThis.navigator?.gpu;
  if (!gpu || !check('Browser has WebGPU', true, 'navigator.gpu exists.')) {
    check(
      'Browser has WebGPU',
      false,
      'navigator.gpu is missing; the browser is too old, or WebGPU is switched off in its settings.',
    );
    return { checks, adapter: undefined };
  }
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null);
  if (!adapter) {
    check('Adapter is offered', false, 'The browser offers no graphics adapter; its driver may be blocked or missing.');
    return { checks, adapter: undefined };
  }
  check('Adapter is offered', true, adapterLabel(adapter.info));
  return { checks, adapter };
}
