import { describe, expect, it, vi } from 'vitest';
import { DeviceError } from '../../errors.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { type BackendPlatform, startBackend } from './backend.ts';

const support = (adapter: string | undefined, software = /swiftshader/.test(adapter ?? '')) => ({
  available: adapter !== undefined,
  reason: adapter ? undefined : 'Adapter is offered: none.',
  adapter,
  software,
  checks: [{ name: 'Adapter is offered', passed: adapter !== undefined, detail: '' }],
});
const platform = (adapter: string | undefined, broken = false): BackendPlatform => ({
  support: async () => support(adapter),
  createRuntime: async (backend) => {
    if (broken && backend === 'webgpu') throw new DeviceError('The adapter gave no device.');
    return { backend, description: `${backend} here` } as Runtime;
  },
});

describe('startBackend', () => {
  it('takes WebGPU where there is an adapter', async () => {
    expect((await startBackend('auto', platform('nvidia hopper'))).info).toMatchObject({
      backend: 'webgpu',
      description: 'nvidia hopper',
      reason: undefined,
    });
  });

  it.each([
    ['no adapter', platform(undefined), /cannot be used here\. Adapter is offered/],
    ['a software adapter', platform('google swiftshader'), /google swiftshader/],
    ['a device that does not start', platform('amd rdna', true), /gave no device/],
  ])('falls back to WASM with the reason: %s', async (_name, where, reason) => {
    const { info } = await startBackend('auto', where);
    expect(info.backend).toBe('wasm');
    expect(info.reason).toMatch(reason);
    expect(info.checks).toHaveLength(1);
  });

  it('says why WebAssembly has one thread where the page is not isolated', async () => {
    vi.stubGlobal('crossOriginIsolated', false);
    expect((await startBackend('auto', platform(undefined))).info.lacks).toEqual([
      expect.stringMatching(/one thread.*not isolated/),
    ]);
    vi.stubGlobal('crossOriginIsolated', true);
    expect((await startBackend('auto', platform(undefined))).info.lacks).toEqual([]);
    vi.unstubAllGlobals();
  });

  it('takes an adapter for what it says of itself, not for its name', async () => {
    const named = { ...platform('mesa'), support: async () => support('mesa', true) };
    expect((await startBackend('auto', named)).info).toMatchObject({
      backend: 'wasm',
      reason: expect.stringMatching(/only WebGPU adapter \(mesa\) computes on the processor/),
    });
  });

  it('says where files cannot be kept', async () => {
    const without = { ...platform(undefined), keepsFiles: async () => false };
    expect((await startBackend('auto', without)).info.lacks).toEqual([
      expect.stringMatching(/no private file system \(OPFS\).*models of the hub cannot be stored/),
    ]);
  });

  it('names the policy that forbids WebAssembly, not the runtime that failed for it', async () => {
    vi.spyOn(WebAssembly, 'compile').mockRejectedValue(new WebAssembly.CompileError('blocked by CSP'));
    await expect(startBackend('auto', platform(undefined))).rejects.toThrow(/script-src needs 'wasm-unsafe-eval'/);
    vi.restoreAllMocks();
  });

  it('does what it was told by name, or says why not', async () => {
    expect((await startBackend('webgpu', platform('google swiftshader'))).info.backend).toBe('webgpu');
    expect((await startBackend('wasm', platform('nvidia hopper'))).info.reason).toMatch(/asked for/);
    await expect(startBackend('webgpu', platform('amd rdna', true))).rejects.toBeInstanceOf(DeviceError);
  });
});
