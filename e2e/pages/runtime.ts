import { WEBGPU_CASES } from '../../src/runtime/conformance/webgpu.ts';
import { CONFORMANCE_CASES } from '../../src/runtime/conformance.ts';
import type { RuntimeStatistics } from '../../src/runtime/runtime.ts';
import { createWebRuntime, WebGpuRuntime, webgpuSupport } from '../../src/runtime/web.ts';

/** What the test asks of this page. */
export interface RuntimePage {
  support: typeof webgpuSupport;
  run(backend: 'webgpu' | 'wasm'): Promise<ConformanceReport>;
}

export interface ConformanceReport {
  readonly description: string;
  readonly outcomes: readonly { readonly name: string; readonly milliseconds: number; readonly error: string | undefined }[];
  readonly statistics: RuntimeStatistics;
}

const page: RuntimePage = {
  support: webgpuSupport,
  async run(backend) {
    using runtime = await createWebRuntime({ backend });
    const cases = CONFORMANCE_CASES.map(({ name, run }) => ({ name, run: () => run(runtime) }));
    if (runtime instanceof WebGpuRuntime) cases.push(...WEBGPU_CASES.map(({ name, run }) => ({ name, run: () => run(runtime) })));
    const outcomes = [];
    for (const { name, run } of cases) {
      const start = performance.now();
      const error = await run().then(
        () => undefined,
        (reason: unknown) => String(reason),
      );
      outcomes.push({ name, milliseconds: performance.now() - start, error });
    }
    await runtime.synchronize();
    return { description: runtime.description, outcomes, statistics: runtime.statistics() };
  },
};

Object.assign(window, { runtimePage: page });
