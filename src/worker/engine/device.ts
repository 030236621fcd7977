import { type ComputeDevice, computeDevice } from '../../evaluate/speed/compute-device.ts';
import { type ProductSpeed, productSpeeds } from '../../evaluate/speed/products.ts';
import { VERSION } from '../../library/version.ts';
import type { LongRunning } from '../../progress.ts';
import type { Bench } from './bench.ts';

/** What the engine computes on, and how fast it multiplies. */
export interface DeviceFacts extends ComputeDevice {
  readonly version: string;
  readonly products: readonly ProductSpeed[];
}

export interface DeviceCalls {
  device(options?: LongRunning): Promise<DeviceFacts>;
}

/** Rows of a token, and of a prompt. */
const REQUEST = { size: 1024, rows: [1, 128], milliseconds: 1500 } as const;

export function deviceCalls(bench: Bench): DeviceCalls {
  return {
    device: (options = {}) =>
      bench.heavy(async () => {
        const { runtime } = bench.model;
        const products = await productSpeeds(runtime, REQUEST, options);
        return { version: VERSION, ...computeDevice(runtime), products };
      }, options),
  };
}
