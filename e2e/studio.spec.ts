import { readFileSync } from 'node:fs';
import { expect, test } from '@playwright/test';
import { unzipSync } from 'fflate';
import { StudioPage } from './studio-page.ts';

/** Time for one measurement on a software adapter. */
const SLOW = 150_000;

// Requests that a service worker answers are not seen by the page's listeners; it has a test of its own.
test.use({ serviceWorkers: 'block' });

for (const backend of ['webgpu', 'wasm'] as const) {
  test(`from model to pruned files on ${backend}`, async ({ page }) => {
    test.setTimeout(600_000);
    const studio = new StudioPage(page);

    await test.step('opens on the embedded model with its precomputed scores', async () => {
      await studio.open(`/?backend=${backend}`);
      await expect(studio.heatmap).toBeVisible({ timeout: 180_000 });
      await expect(await studio.show('Calibration')).toContainText('Precomputed');
      await studio.closeSheets();
      await expect(studio.panel('Outcome')).toContainText('20% of prunable weights = 15.4% of the parameters');
      await expect(studio.opener('Model')).toContainText('stories');
    });

    await test.step('says where it computes', async () => {
      const chip = page.getByRole('button', { name: backend === 'webgpu' ? /^WebGPU/ : /^WASM/ });
      await expect(chip).toBeVisible({ timeout: 180_000 });
      await chip.click();
      if (backend === 'wasm') await expect(page.getByText('WASM was asked for')).toBeVisible();
      else await expect(page.getByText('Adapter is offered')).toBeVisible();
      await chip.click();
      await expect((await studio.show('Model')).getByText('apache-2.0')).toBeVisible({ timeout: 180_000 });
      await studio.closeSheets();
    });

    await test.step('shows values on hover and numbers on the legend', async () => {
      const box = await studio.heatmap.boundingBox();
      await page.mouse.move((box?.x ?? 0) + (box?.width ?? 0) * 0.7, (box?.y ?? 0) + 10);
      await expect(studio.heatmap.getByText(/^Layer 0 · neuron/)).toBeVisible();
      await page.mouse.move(0, 0);
      await studio.panel('Importance').getByRole('button', { name: 'View' }).click();
      await expect(page.getByRole('img', { name: /colours from .+ to .+/ })).toBeVisible();
      await studio.closeSheets();
    });

    await test.step('re-plans at once when the slider moves, then measures', async () => {
      await studio.slider.focus();
      for (let press = 0; press < 10; press += 1) await page.keyboard.press('ArrowRight');
      await expect(studio.panel('Outcome').getByText('25%', { exact: true })).toBeVisible();
      const perplexity = await studio.measured('Perplexity', SLOW);
      expect(perplexity.dense).toBeGreaterThan(1);
      expect(perplexity.pruned).toBeGreaterThan(perplexity.dense * 0.8);
      const decode = await studio.measured('Decode, tokens/s', 2 * SLOW);
      expect(Math.min(decode.dense, decode.pruned)).toBeGreaterThan(0);
      await expect(studio.panel('Compare').getByRole('button', { name: /Perplexity at 25%/ })).toBeVisible();
    });

    await test.step('scores anew: progress, cancel, and a run that replaces what is shown', async () => {
      const progress = page.getByRole('progressbar', { name: 'Scoring' });
      await (await studio.show('Calibration')).getByRole('button', { name: 'Score' }).click();
      await expect(studio.panel('Calibration')).toBeHidden();
      await expect(progress).toBeVisible();
      await page.getByRole('button', { name: 'Cancel' }).click();
      await expect(progress).toBeHidden();
      await expect(await studio.show('Calibration')).toContainText('Precomputed');
      await studio.panel('Calibration').getByRole('button', { name: 'Score' }).click();
      await expect(studio.opener('Calibration')).toContainText('2 × 16', { timeout: 2 * SLOW });
      await expect(await studio.show('Calibration')).toContainText('Your run');
      await expect(studio.panel('Calibration')).toContainText('2 windows of 16 tokens');
      await studio.closeSheets();
    });

    await test.step('writes with both models from one prompt', async () => {
      const read = studio.panel('Read');
      await read.getByRole('button', { name: 'Write' }).click();
      for (const side of ['Dense', 'Pruned, 25% removed'])
        await expect(
          read.getByRole('article').filter({ has: page.getByRole('heading', { name: side }) }),
        ).toContainText(/[\d.]+ tokens\/s/, { timeout: SLOW });
    });

    await test.step('takes a verified model away', async () => {
      const away = await studio.show('Take away');
      await away.getByRole('button', { name: 'Build and verify' }).click();
      await expect(away).toContainText('Verified.', { timeout: SLOW });
      await expect(away).toContainText(/compared at 256 positions/);
      const [file] = await Promise.all([
        page.waitForEvent('download'),
        away.getByRole('button', { name: /^Download stories-pruned-25-f(16|32)\.zip/ }).click(),
      ]);
      const names = Object.keys(unzipSync(readFileSync(await file.path())));
      for (const name of [
        'config.json',
        'tokenizer.json',
        'espalier.json',
        'README.md',
        'onnx/model_fp16.onnx',
        'onnx/model_fp16.onnx_data',
      ])
        expect(names.map((path) => path.replace(/^stories-pruned-25-f(16|32)\//, ''))).toContain(name);
    });

    await test.step('asked nobody but its own origin, and complained about nothing', async () => {
      const own = new URL(page.url()).origin;
      expect(
        studio.requests.filter(
          (address) => !address.startsWith('blob:') && !address.startsWith('data:') && new URL(address).origin !== own,
        ),
      ).toEqual([]);
      expect(studio.problems).toEqual([]);
    });
  });
}
