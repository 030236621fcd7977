import { CONFORMANCE_CASES } from '../../src/runtime/conformance.ts';
import type { RuntimeStatistics } from '../../src/runtime/runtime.ts';
import { createWebRuntime, webgpuSupport } from '../../src/runtime/web.ts';

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
    const outcomes = [];
    for (const { name, run } of CONFORMANCE_CASES) {
      const start = performance.now();
      const error = await run(runtime).then(
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
