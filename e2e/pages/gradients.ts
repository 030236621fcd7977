import type { TestBlock } from '../../src/passes/testing/block.ts';
import { blockGradients } from '../../src/passes/testing/block-gradient.ts';
import { createWebRuntime, webgpuSupport } from '../../src/runtime/web.ts';

/** What the test asks of this page. */
export interface GradientsPage {
  support: typeof webgpuSupport;
  run(backend: 'webgpu' | 'wasm', options: Partial<TestBlock>): Promise<Record<string, number[]>>;
}

const page: GradientsPage = {
  support: webgpuSupport,
  async run(backend, options) {
    using runtime = await createWebRuntime({ backend });
    return await blockGradients(runtime, options);
  },
};

Object.assign(window, { gradientsPage: page });
