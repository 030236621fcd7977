import AxeBuilder from '@axe-core/playwright';
import { expect, test } from '@playwright/test';
import { encodeScores } from '../src/saap/score-file.ts';
import { syntheticScores } from '../src/saap/testing/synthetic-scores.ts';
import { SMALL, StudioPage } from './studio-page.ts';

const STILL = { ...SMALL, autoMeasure: false };
const WIDTHS = [390, 1280, 2560] as const;
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

test.use({ serviceWorkers: 'block' });

for (const colorScheme of ['light', 'dark'] as const) {
  test(`is accessible and fits every width, ${colorScheme}`, async ({ page }, testInfo) => {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    const studio = new StudioPage(page);
    await studio.open('/?backend=wasm', STILL);
    await expect(page.getByRole('button', { name: /^WASM/ })).toBeVisible({ timeout: 60_000 });
    await expect(studio.panel('Calibration').getByRole('button', { name: 'Score' })).toBeEnabled({ timeout: 60_000 });
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 });
      await expect(studio.heatmap).toBeVisible();
      expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth), `overflow at ${width}`).toBeLessThanOrEqual(0);
      await testInfo.attach(`${colorScheme}-${width}`, { body: await page.screenshot({ fullPage: true }), contentType: 'image/png' });
      const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`)).toEqual([]);
    }
  });
}

test('plans and draws 30 layers of 1,536 neurons within a frame while the slider moves', async ({ page }, testInfo) => {
  const scores = encodeScores(syntheticScores({ layers: 30, attentionGroups: 3, neurons: 1536 }));
  await page.route('**/scores.safetensors', (route) => route.fulfill({ body: Buffer.from(scores), contentType: 'application/octet-stream' }));
  const studio = new StudioPage(page);
  await studio.open('/?backend=wasm', STILL);
  await expect(studio.heatmap).toBeVisible();
  const times = await studio.slider.evaluate(async (element) => {
    const slider = element as HTMLInputElement;
    const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value')?.set;
    const taken: number[] = [];
    for (let move = 0; move < 60; move += 1) {
      await new Promise(requestAnimationFrame);
      const start = performance.now();
      set?.call(slider, String(0.1 + (move % 30) * 0.02));
      slider.dispatchEvent(new Event('input', { bubbles: true }));
      await Promise.resolve();
      taken.push(performance.now() - start);
    }
    return taken.slice(20).sort((a, b) => a - b);
  });
  const [quick = 0, median = 0] = [times[Math.floor(times.length / 10)], times[Math.floor(times.length / 2)]];
  testInfo.annotations.push({ type: 'slider move', description: `median ${median.toFixed(1)} ms, quickest tenth ${quick.toFixed(1)} ms` });
  console.log(`slider move to drawn plan: median ${median.toFixed(1)} ms, quickest tenth ${quick.toFixed(1)} ms`);
  // The quickest tenth: what the page needs when other programs leave it alone.
  expect(quick).toBeLessThan(16.7);
});

test('works by keyboard: the map, its table, protection, undo', async ({ page }) => {
  const studio = new StudioPage(page);
  await studio.open('/?backend=wasm', STILL);
  await studio.heatmap.focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowDown');
  await expect(studio.heatmap.getByText(/^Layer 1 · attention group/)).toBeVisible();
  await page.keyboard.press('End');
  await expect(studio.heatmap.getByText(/^Layer 1 · neuron/)).toBeVisible();
  await page.keyboard.press('Enter');
  const zoom = page.getByRole('region', { name: 'Layer 1, single neurons' });
  await expect(zoom.getByRole('img', { name: /Importance of neurons of layer 1, ranks/ })).toBeVisible();
  await zoom.getByRole('button', { name: 'Close' }).press('Enter');
  await expect(zoom).toBeHidden();
  await studio.heatmap.focus();
  await page.keyboard.press('Escape');

  await page.getByRole('button', { name: 'Protect layer 0' }).press('Enter');
  await expect(studio.panel('Plan')).toContainText('Kept whole: layer 0');
  await studio.panel('Plan').getByRole('button', { name: 'Undo' }).press('Enter');
  await expect(studio.panel('Plan')).not.toContainText('Kept whole');

  await studio.panel('Importance').getByRole('radio', { name: 'Table' }).press('Space');
  await expect(studio.panel('Importance').getByRole('table')).toBeVisible();
});

test('plans for a size as well as for a ratio, chosen before there is a plan', async ({ page }) => {
  const studio = new StudioPage(page);
  await page.route('**/scores.safetensors', async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await route.continue();
  });
  await studio.open('/?backend=wasm', STILL);
  const plan = studio.panel('Plan');
  await plan.getByRole('combobox', { name: 'Target' }).selectOption('Size');
  await plan.getByRole('spinbutton', { name: /At most/ }).fill('14');
  await expect(plan.getByRole('definition').filter({ hasText: '14.0 MB' })).toBeVisible();
  await plan.getByRole('spinbutton', { name: /At most/ }).fill('0.5');
  await expect(plan.getByRole('alert')).toContainText(/Ask for less|out of reach|only/);
});

test('opens a model from files, scores it and plans', async ({ page }) => {
  const studio = new StudioPage(page);
  await studio.open('/?backend=wasm', STILL);
  await expect(studio.panel('Calibration').getByRole('button', { name: 'Score' })).toBeEnabled({ timeout: 60_000 });
  await studio.panel('Model').getByText('Open another model').click();
  await studio.panel('Model').getByLabel('choose a folder').setInputFiles('public/models/stories');
  await expect(studio.panel('Model')).toContainText('Read from your files');
  await expect(studio.panel('Importance')).toContainText('No scores yet');
  await studio.panel('Calibration').getByRole('button', { name: 'Score' }).click();
  await expect(studio.panel('Calibration')).toContainText('Your run', { timeout: 120_000 });
  await expect(studio.heatmap).toBeVisible();
  await expect(studio.panel('Plan')).toContainText('20%');
  await studio.panel('Model').getByRole('button', { name: 'Back to stories' }).click();
  await expect(studio.panel('Calibration')).toContainText('Precomputed');
  expect(studio.problems).toEqual([]);
});

test('carries a recipe in a link and remembers choices over a reload', async ({ page }) => {
  const studio = new StudioPage(page);
  await studio.open(
    `/?backend=wasm#recipe=${encodeURIComponent(JSON.stringify({ target: { kind: 'ratio', value: 0.35 }, search: 'global', protect: [1] }))}`,
    STILL,
  );
  await expect(studio.panel('Plan')).toContainText('35%');
  await expect(studio.panel('Plan').getByRole('combobox', { name: 'Search' })).toHaveValue('global');
  await expect(studio.panel('Plan')).toContainText('Kept whole: layer 1');
  await page.goto('/?backend=wasm');
  await expect(studio.panel('Plan')).toContainText('35%');
});

test('says what is wrong, and goes on with what works', async ({ page }) => {
  await page.route('**/*.wasm', (route) => route.abort());
  const studio = new StudioPage(page);
  await studio.open('/?backend=wasm', STILL);
  await expect(studio.heatmap).toBeVisible();
  await expect(page.getByRole('button', { name: /^No engine/ })).toBeVisible({ timeout: 60_000 });
  await expect(studio.panel('Model').getByRole('alert')).toBeVisible();
  await studio.setRatio(40);
  await expect(studio.panel('Plan')).toContainText('40%');

  await page.unroute('**/*.wasm');
  await page.route('**/scores.safetensors', (route) => route.fulfill({ status: 404, body: '' }));
  await page.reload();
  await expect(studio.panel('Calibration').getByRole('alert')).toContainText('scores.safetensors');
  await expect(studio.panel('Importance')).toContainText('No scores yet');
});
