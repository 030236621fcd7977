import { expect, test } from '@playwright/test';
import type { RuntimePage } from './pages/runtime.ts';

declare global {
  interface Window {
    readonly runtimePage: RuntimePage;
  }
}

test.beforeEach(async ({ page }) => {
  await page.goto('/e2e/pages/runtime.html');
  await page.waitForFunction(() => 'runtimePage' in window);
});

for (const backend of ['wasm', 'webgpu'] as const) {
  test(`the conformance suite passes on ${backend}`, async ({ page }) => {
    if (backend === 'webgpu') {
      const support = await page.evaluate(() => window.runtimePage.support());
      test.skip(!support.available && process.env.REQUIRE_WEBGPU !== '1', `This browser has no WebGPU: ${support.reason}`);
      expect(support.reason, 'WebGPU is required (REQUIRE_WEBGPU=1)').toBeUndefined();
    }
    const report = await page.evaluate((name) => window.runtimePage.run(name), backend);
    console.log(report.description, report.outcomes.map(({ name, milliseconds }) => `${name}: ${Math.round(milliseconds)} ms`).join('\n'));
    const failures = report.outcomes.filter(({ error }) => error !== undefined).map(({ name, error }) => `${name}: ${error}`);
    expect(failures).toEqual([]);
    expect(report.outcomes.length).toBeGreaterThan(60);
    expect(report.statistics).toMatchObject({ liveTensors: 0, liveBytes: 0, liveSessions: 0 });
  });
}
