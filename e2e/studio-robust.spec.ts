import { expect, test } from '@playwright/test';
import { SMALL, StudioPage } from './studio-page.ts';

const PATIENT = { timeout: 180_000 };
const link = (recipe: object, model: string) =>
  `/?backend=wasm#recipe=${encodeURIComponent(JSON.stringify(recipe))}&model=${encodeURIComponent(model)}`;

test('a link with a metric that there is not says so, now and never again', async ({ page }) => {
  const studio = new StudioPage(page);
  await studio.open(link({ metric: 'loudness', seed: 3 }, 'files:my model'), { ...SMALL, autoMeasure: false });
  const banner = page.getByRole('complementary', { name: 'The link that you opened' });
  await expect(banner).toContainText('"loudness"', PATIENT);
  await expect(banner).toContainText('my model, which a link cannot carry');
  await expect(studio.heatmap).toBeVisible(PATIENT);
  expect(new URL(page.url()).hash).toBe('');
  await page.reload();
  await expect(studio.heatmap).toBeVisible(PATIENT);
  await expect(banner).toBeHidden();
});

test('an opened link leaves the choice between their recipe and mine', async ({ page }) => {
  const studio = new StudioPage(page);
  const kept = () =>
    page.evaluate(
      () =>
        (JSON.parse(localStorage.getItem('espalier-studio') ?? '{}') as { state?: { recipe?: { seed?: number } } })
          .state?.recipe?.seed,
    );
  await studio.open(link({ seed: 3 }, 'embedded:stories'), { ...SMALL, autoMeasure: false });
  await expect.poll(kept, PATIENT).toBe(3);
  await page.getByText('Mine', { exact: true }).click();
  await expect.poll(kept).toBe(0);
  await page.getByText('Their recipe', { exact: true }).click();
  await expect.poll(kept).toBe(3);
});

test('what an earlier version or a hand left is no reason for a blank page', async ({ page }) => {
  const studio = new StudioPage(page);
  await studio.open('/?backend=wasm', {
    ...{ recipe: { metric: 'loudness', target: 7 }, past: [null], measureWindows: 'many', themeChoice: 3 },
    ...{ comparedMethods: ['loudness'], shownMetric: 'loudness', chosenModel: { kind: 'files' }, scoresChoice: 'all' },
    ...{ autoMeasure: false, drawer: 4, panes: {}, tasks: 1 },
  });
  await expect(studio.heatmap).toBeVisible(PATIENT);
  expect(studio.problems).toEqual([]);
});
