import { WEBGPU_CASES } from '../../src/runtime/conformance/webgpu.ts';
import { CONFORMANCE_CASES } from '../../src/runtime/conformance.ts';
import type { Runtime, RuntimeStatistics } from '../../src/runtime/runtime.ts';
import { createWebRuntime, WebGpuRuntime, webgpuSupport } from '../../src/runtime/web.ts';

/** What the test asks of this page. */
export interface RuntimePage {
  support: typeof webgpuSupport;
  run(backend: 'webgpu' | 'wasm', suite: Suite): Promise<ConformanceReport>;
}

/** All runtimes, and what only WebGPU does. */
export type Suite = 'conformance' | 'webgpu';

export interface ConformanceReport {
  readonly description: string;
  readonly outcomes: readonly {
    readonly name: string;
    readonly milliseconds: number;
    readonly error: string | undefined;
  }[];
  readonly statistics: RuntimeStatistics;
}

function casesOf(suite: Suite, runtime: Runtime): { readonly name: string; readonly run: () => Promise<void> }[] {
  if (suite === 'conformance') return CONFORMANCE_CASES.map(({ name, run }) => ({ name, run: () => run(runtime) }));
  if (!(runtime instanceof WebGpuRuntime)) throw new Error(`The suite ${suite} is for WebGPU.`);
  return WEBGPU_CASES.map(({ name, run }) => ({
    name,
    run: () => run(runtime, () => createWebRuntime({ backend: 'webgpu' })),
  }));
}

const page: RuntimePage = {
  support: webgpuSupport,
  async run(backend, suite) {
    using runtime = await createWebRuntime({ backend });
    const outcomes = [];
    for (const { name, run } of casesOf(suite, runtime)) {
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
