import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { DeviceError, OutOfMemoryError, UsageError } from '../errors.ts';
import { createRuntime } from '../library/create-runtime.ts';
import { ELEMENT_SCORE_CASES } from './conformance/element-scores.ts';
import { WEBGPU_CASES } from './conformance/webgpu.ts';
import { CONFORMANCE_CASES } from './conformance.ts';
import { openAdapter } from './gpu-device.ts';
import { type Kernel, KernelRunner } from './kernels/kernel.ts';
import { createNodeWebGpuRuntime, listAdapters } from './node-webgpu.ts';
import { describeOnWebGpu, GPU_TIMEOUT } from './testing/webgpu.ts';
import type { WebGpuRuntime } from './webgpu-runtime.ts';

describeOnWebGpu('WebGPU in Node', { timeout: GPU_TIMEOUT }, () => {
  let runtime: WebGpuRuntime;
  beforeAll(async () => {
    runtime = await createNodeWebGpuRuntime();
  }, GPU_TIMEOUT);
  afterAll(() => {
    const { liveTensors, liveBytes, liveSessions } = runtime.statistics();
    expect({ liveTensors, liveBytes, liveSessions }).toEqual({ liveTensors: 0, liveBytes: 0, liveSessions: 0 });
    runtime.dispose();
  });

  test.each(CONFORMANCE_CASES.map((entry) => [entry.name, entry] as const))('%s', (_, entry) => entry.run(runtime));
  test.each(ELEMENT_SCORE_CASES.map((entry) => [entry.name, entry] as const))('%s', (_, entry) =>
    entry.run(runtime, createNodeWebGpuRuntime),
  );
  test.each(WEBGPU_CASES.map((entry) => [entry.name, entry] as const))('%s', (_, entry) =>
    entry.run(runtime, createNodeWebGpuRuntime),
  );

  test('names its adapter, which computes in half precision where REQUIRE_F16=1', () => {
    expect(runtime.adapter).toMatchObject({ name: expect.stringMatching(/./), software: expect.any(Boolean) });
    expect(runtime.description).toMatch(/^WebGPU on ./);
    if (process.env.REQUIRE_F16 === '1') expect(runtime.adapter?.halfPrecision).toBe(true);
  });

  test('devices live on when others are opened after them and memory is collected', async () => {
    const { name } = (await listAdapters())[0] ?? {};
    using early = await createNodeWebGpuRuntime(name === undefined ? {} : { adapter: name });
    for (const _ of [1, 2]) {
      (await createNodeWebGpuRuntime()).dispose();
      await collectGarbage();
    }
    for (const each of [early, runtime]) {
      using tensor = each.upload({ dataType: 'float32', shape: [4], data: Float32Array.of(1, 2, 3, 4) });
      expect((await each.read(tensor)).data).toEqual(Float32Array.of(1, 2, 3, 4));
    }
  });

  test('an adapter is chosen by a part of its name, and a name that none has is told with those that there are', async () => {
    const [first] = await listAdapters();
    using chosen = await createNodeWebGpuRuntime({ adapter: first?.name.slice(0, 6).toUpperCase() ?? '' });
    expect(chosen.adapter?.vendor).toBe(runtime.adapter?.vendor);
    const refused = createNodeWebGpuRuntime({ adapter: 'abacus' });
    await expect(refused).rejects.toThrow(UsageError);
    await expect(refused).rejects.toThrow(`No adapter has "abacus" in its name; there are: ${first?.name}`);
  });

  test('"auto" takes the processor where every adapter is in software', async () => {
    const cards = (await listAdapters()).filter(({ software }) => !software);
    using chosen = await createRuntime({ backend: 'auto', threads: 1 });
    expect(chosen.backend).toBe(cards.length > 0 ? 'webgpu' : 'cpu');
    expect(chosen.adapter?.software ?? false).toBe(false);
  });

  describe('kernels of our own', () => {
    const kernel = (label: string, code: string): Kernel => ({
      label,
      code: `@group(0) @binding(0) var<uniform> sizes: vec4u;
@group(0) @binding(1) var<storage, read_write> values: array<f32>;
@compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3u) { ${code} }`,
      uniforms: [4],
      buffers: ['values'],
      workgroups: [1, 1, 1],
    });
    const right = kernel('double', 'if (id.x < sizes.x) { values[id.x] *= 2.0; }');

    test('that do not compile are told by line and column, each time anew, and later kernels run', async () => {
      const runner = new KernelRunner(runtime.device);
      using tensor = runtime.upload({ dataType: 'float32', shape: [4], data: Float32Array.of(1, 2, 3, 4) });
      const submit = (one: Kernel) =>
        runtime.exclusive(() => runner.submit([{ kernel: one, buffers: { values: runtime.bufferOf(tensor) } }]));
      for (const _ of [1, 2]) {
        const refused = submit(kernel('typing error', 'values[id.x] = valeu;'));
        await expect(refused).rejects.toThrow(DeviceError);
        await expect(refused).rejects.toThrow(
          /The kernel typing error does not compile: line 3, column 9[0-9]: .*valeu/,
        );
      }
      await submit(right);
      expect((await runtime.read(tensor)).data).toEqual(Float32Array.of(2, 4, 6, 8));
    });

    test('that the device refuses once are compiled again when they are asked for again', async () => {
      const { device } = runtime;
      const create = vi.spyOn(device, 'createComputePipelineAsync').mockRejectedValueOnce(new Error('no room'));
      const runner = new KernelRunner(device);
      using tensor = runtime.upload({ dataType: 'float32', shape: [4], data: Float32Array.of(1, 2, 3, 4) });
      const submit = () =>
        runtime.exclusive(() => runner.submit([{ kernel: right, buffers: { values: runtime.bufferOf(tensor) } }]));
      await expect(submit()).rejects.toThrow('The kernel double was refused by the device: no room');
      await submit();
      expect(create).toHaveBeenCalledTimes(2);
      create.mockRestore();
      expect((await runtime.read(tensor)).data).toEqual(Float32Array.of(2, 4, 6, 8));
    });

    test('are refused a tensor above what a kernel binds, with both numbers', async () => {
      const { maxStorageBufferBindingSize: most } = runtime.device.limits;
      const runner = new KernelRunner(runtime.device);
      const values = { size: most + 16 } as GPUBuffer;
      const refused = runtime.exclusive(() => runner.submit([{ kernel: right, buffers: { values } }]));
      await expect(refused).rejects.toThrow(OutOfMemoryError);
      await expect(refused).rejects.toThrow(
        `needs values of ${most + 16} bytes at once, but a kernel of this device binds at most ${most}. Use the cpu or wasm backend`,
      );
    });
  });
});

describe('Adapters that do not suffice', () => {
  const adapter = (limits: Partial<Record<keyof GPUSupportedLimits, number>>) =>
    ({
      info: { vendor: 'abacus', architecture: 'wooden', device: '', description: '' },
      limits: { maxBufferSize: 2 ** 30, maxComputeInvocationsPerWorkgroup: 256, ...limits },
      features: new Set<string>(),
      requestDevice: () => Promise.reject(new Error('the driver gives no device')),
    }) as unknown as GPUAdapter;

  test('a limit below what is needed is named with both numbers and what to do', async () => {
    await expect(openAdapter(adapter({ maxComputeInvocationsPerWorkgroup: 128 }))).rejects.toThrow(
      'The adapter abacus wooden offers a maxComputeInvocationsPerWorkgroup of 128, but at least 256 is needed (larger matrix tiles). Update its driver, or use another adapter or backend.',
    );
  });

  test('a driver that gives no device is quoted', async () => {
    await expect(openAdapter(adapter({}))).rejects.toThrow(
      'The adapter abacus wooden gave no device: the driver gives no device',
    );
  });

  test('an adapter has no use on the processor', async () => {
    await expect(createRuntime({ backend: 'cpu', adapter: 'card' })).rejects.toThrow(
      'The adapter "card" was chosen, but the backend cpu uses none.',
    );
  });
});

/** Collects what nothing refers to, and lets finalizers run. */
async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  for (let round = 0; round < 3; round++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
