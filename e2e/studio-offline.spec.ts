import { expect, test } from '@playwright/test';
import { SMALL, StudioPage } from './studio-page.ts';

test('works without a network after the first visit', async ({ page, context }) => {
  const studio = new StudioPage(page);
  await studio.open('/?backend=wasm', { ...SMALL, autoMeasure: false });
  await expect(studio.heatmap).toBeVisible({ timeout: 180_000 });
  await page.evaluate(() => navigator.serviceWorker.ready);
  await expect
    .poll(() => page.evaluate(() => navigator.serviceWorker.controller !== null), { timeout: 180_000 })
    .toBe(true);
  // All files are kept at once or none.
  await expect
    .poll(() => page.evaluate(async () => (await caches.match(new URL('./', location.href).href)) !== undefined), {
      timeout: 180_000,
    })
    .toBe(true);
  await context.setOffline(true);
  await page.reload();
  await expect(studio.heatmap).toBeVisible();
  await expect(page.getByRole('button', { name: /^WASM/ })).toBeVisible({ timeout: 180_000 });
  await studio.panel('Read').getByRole('button', { name: 'Write' }).click({ timeout: 180_000 });
  await expect(page.locator('[data-pane="pruned"]')).toHaveAttribute('data-status', 'done', { timeout: 180_000 });
});
