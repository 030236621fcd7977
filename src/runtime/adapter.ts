/** The graphics adapter that a runtime computes on, in plain data. */
export interface Adapter {
  /** For people: the driver's own words where it has any, else vendor and architecture. */
  readonly name: string;
  /** As the driver tells it. */
  readonly vendor: string;
  /** As the driver tells it. */
  readonly architecture: string;
  /** Whether it computes on the processor: no graphics card. */
  readonly software: boolean;
  /** Whether kernels may compute in half precision. */
  readonly halfPrecision: boolean;
}

/** Adapters that compute on the processor, by their names: not all say so themselves. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|lavapipe|basic render|software/i;

/** Whether an adapter of this name computes on the processor. */
export function isSoftware(name: string): boolean {
  return SOFTWARE.test(name);
}

/** Vendor and architecture of an adapter, else what the driver says. */
export function adapterLabel({ vendor, architecture, description }: GPUAdapterInfo): string {
  const words = [vendor, architecture].filter((word) => word !== '').join(' ');
  return words || description || 'unnamed adapter';
}

export function describeAdapter({ info, features }: Pick<GPUAdapter, 'info' | 'features'>): Adapter {
  const { vendor, architecture, description, device } = info;
  return {
    name: description || device || adapterLabel(info),
    vendor,
    architecture,
    software: info.isFallbackAdapter === true || isSoftware(`${vendor} ${architecture} ${device} ${description}`),
    halfPrecision: features.has('shader-f16'),
  };
}
