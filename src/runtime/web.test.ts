import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CONFORMANCE_CASES } from './conformance.ts';
import type { Runtime } from './runtime.ts';
import { createWebRuntime, webgpuSupport } from './web.ts';

/** The command line offers this backend too; in a browser the same cases run in e2e/runtime.spec.ts. */
describe('WebAssembly in Node', () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createWebRuntime({ backend: 'wasm', threads: 1 });
  });
  // In processor time, which a busy machine does not stretch much; an instrumented build takes over 40 s.
  test('starts within seconds', async () => {
    const before = process.cpuUsage();
    await CONFORMANCE_CASES[0]?.run(runtime);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1e6).toBeLessThan(20);
  });
  afterAll(() => {
    const { liveTensors, liveBytes, liveSessions } = runtime.statistics();
    expect({ liveTensors, liveBytes, liveSessions }).toEqual({ liveTensors: 0, liveBytes: 0, liveSessions: 0 });
    runtime.dispose();
  });
  test.each(CONFORMANCE_CASES.map((entry) => [entry.name, entry] as const))('%s', async (_, entry) => {
    await entry.run(runtime);
  });
});

describe('WebGPU where there is none', () => {
  test('says which check failed', async () => {
    const support = await webgpuSupport();
    expect(support.available).toBe(false);
    expect(support.reason).toBe('Secure page: WebGPU needs https:// or localhost.');
    await expect(createWebRuntime({ backend: 'webgpu' })).rejects.toThrow(
      'WebGPU cannot be used. Secure page: WebGPU needs https:// or localhost. Use the wasm backend',
    );
  });

  test('refuses a wrong number of threads', async () => {
    await expect(createWebRuntime({ backend: 'wasm', threads: 0 })).rejects.toThrow(
      'threads is 0; give a whole number of at least 1.',
    );
    await expect(createWebRuntime({ backend: 'wasm', threads: 2 })).rejects.toThrow(
      'outside a browser the wasm backend runs on one thread',
    );
  });
});
