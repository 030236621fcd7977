import { expect, test } from '@playwright/test';
import type { RuntimePage, Suite } from './pages/runtime.ts';

declare global {
  interface Window {
    readonly runtimePage: RuntimePage;
  }
}

/** On WebGPU only what the browser has a part in; the conformance suite and our kernels run there in Node (src/runtime/node-webgpu.test.ts). */
const RUNS: readonly { readonly backend: 'wasm' | 'webgpu'; readonly suite: Suite; readonly cases: number }[] = [
  { backend: 'wasm', suite: 'conformance', cases: 60 },
  { backend: 'webgpu', suite: 'webgpu', cases: 5 },
];

test.beforeEach(async ({ page }) => {
  await page.goto('/e2e/pages/runtime.html');
  await page.waitForFunction(() => 'runtimePage' in window);
});

for (const { backend, suite, cases } of RUNS) {
  test(`the runtime suite '${suite}' passes on ${backend}`, async ({ page }) => {
    if (backend === 'webgpu') {
      const support = await page.evaluate(() => window.runtimePage.support());
      test.skip(
        !support.available && process.env.REQUIRE_WEBGPU !== '1',
        `This browser has no WebGPU: ${support.reason}`,
      );
      expect(support.reason, 'WebGPU is required (REQUIRE_WEBGPU=1)').toBeUndefined();
    }
    const report = await page.evaluate(([name, part]) => window.runtimePage.run(name, part), [backend, suite] as const);
    const failures = report.outcomes
      .filter(({ error }) => error !== undefined)
      .map(({ name, error }) => `${name}: ${error}`);
    expect(failures).toEqual([]);
    expect(report.outcomes.length).toBeGreaterThan(cases);
    expect(report.statistics).toMatchObject({ liveTensors: 0, liveBytes: 0, liveSessions: 0 });
  });
}
