import { describe, expect, it } from 'vitest';
import { describeAdapter } from './adapter.ts';

const adapter = (info: Partial<GPUAdapterInfo>) => ({
  info: { vendor: '', architecture: '', device: '', description: '', ...info } as GPUAdapterInfo,
  features: new Set<string>() as unknown as GPUSupportedFeatures,
});

describe('describeAdapter', () => {
  it.each([
    ['what says so itself, as in Firefox', { vendor: 'mesa', isFallbackAdapter: true }, true],
    ['what is known by its name', { vendor: 'google', architecture: 'swiftshader' }, true],
    ['a graphics card', { vendor: 'nvidia', architecture: 'ampere', isFallbackAdapter: false }, false],
  ])('tells whether it computes on the processor: %s', (_, info, software) => {
    expect(describeAdapter(adapter(info)).software).toBe(software);
  });
});
