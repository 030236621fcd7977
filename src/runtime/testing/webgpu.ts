import { describe } from 'vitest';
import { listAdapters } from '../node-webgpu.ts';

/** Compiling a kernel for the first time takes software adapters seconds. */
export const GPU_TIMEOUT = 900_000;

const adapters = await listAdapters();
if (adapters.length === 0 && process.env.REQUIRE_WEBGPU === '1')
  throw new Error(
    'REQUIRE_WEBGPU=1, but Node finds no WebGPU adapter. Run "node scripts/vulkan.mjs", which fetches one in software.',
  );

/** Tests of WebGPU in Node, on the adapter that vitest.config.ts chose; they are counted as skipped where there is none. */
export const describeOnWebGpu = adapters.length > 0 ? describe : describe.skip;
