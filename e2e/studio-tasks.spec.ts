import { readFileSync } from 'node:fs';
import AxeBuilder from '@axe-core/playwright';
import { expect, type Page, test } from '@playwright/test';
import { SMALL, StudioPage } from './studio-page.ts';

const SETTINGS = {
  ...{ ...SMALL, autoMeasure: false, maxNewTokens: 4 },
  ...{
    taskItems: 40,
    recoverMethod: 'lora',
    recoverSteps: 3,
    recoverBatch: 8,
    recoverLength: 32,
    recoverRates: { groupWise: 0.03, lora: 0.005 },
  },
};
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
/** Time for a step on a machine that has other work too. */
const SLOW = 120_000;

test.use({ serviceWorkers: 'block' });

async function isAccessible(page: Page, panels: readonly string[]): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    const axe = panels.reduce((builder, id) => builder.include(`#${id}`), new AxeBuilder({ page }).withTags(RULES));
    const { violations } = await axe.analyze();
    expect(
      violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`),
    ).toEqual([]);
  }
}

async function fitsNarrowly(page: Page): Promise<void> {
  await page.setViewportSize({ width: 390, height: 900 });
  // Charts follow the width a moment later.
  await expect
    .poll(() => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth))
    .toBeLessThanOrEqual(0);
  await page.setViewportSize({ width: 1280, height: 900 });
}

test('measures zero-shot accuracy: stops, goes on after a reload, and shows table, chart and CSV', async ({ page }) => {
  const studio = new StudioPage(page);
  const panel = studio.panel('Zero-shot');
  await studio.open('/?backend=wasm', SETTINGS);
  await studio.show('Zero-shot');
  await expect(panel).toContainText('story-cloze, shipped');
  await expect(panel.getByRole('img', { name: /Not measured yet/ })).toBeVisible();
  await panel.getByRole('button', { name: 'Measure' }).click({ timeout: SLOW });
  const dense = panel.getByRole('row').filter({ has: page.getByRole('rowheader', { name: /^Dense/ }) });
  await expect(dense).toContainText(/\d% ± \d/, { timeout: SLOW });
  await panel.getByRole('button', { name: 'Cancel' }).click();
  await expect(panel.getByRole('progressbar')).toBeHidden();
  await expect(panel).toContainText(/\d+ of 80 answers are there/);

  await page.reload();
  await expect(panel).toContainText(/\d+ of 80 answers are there/, { timeout: SLOW });
  await panel.getByRole('spinbutton', { name: /^First items/ }).fill('8');
  const goOn = panel.getByRole('button', { name: /^(Go on|Measure)$/ });
  await goOn.click({ timeout: SLOW });
  await expect(panel).toContainText('All measured', { timeout: SLOW });
  const cells = await panel
    .getByRole('row')
    .filter({ has: page.getByRole('rowheader', { name: '20% removed' }) })
    .getByRole('cell')
    .allInnerTexts();
  expect(cells[0]).toMatch(/^[\d.]+% ± [\d.]+%$/);
  expect(cells[2]).toMatch(/^[−+]?[\d.]+ ± [\d.]+$/);
  const chart = panel.getByRole('img', {
    name: /^Accuracy \(story-cloze\)\. Dense: [\d.]+% ± [\d.]+%, 20% removed: .* Guessing: 25\.0%\.$/,
  });
  await expect(chart.locator('rect')).toHaveCount(2);

  const [file] = await Promise.all([
    page.waitForEvent('download'),
    panel.getByRole('button', { name: 'Table, CSV' }).click(),
  ]);
  const lines = readFileSync(await file.path(), 'utf8')
    .trim()
    .split('\n');
  expect(lines).toHaveLength(3);
  expect(lines[1]).toMatch(/^story-cloze,Dense,0,8,/);
  await isAccessible(page, ['zero-shot']);
  await fitsNarrowly(page);

  await panel
    .getByLabel('Task: choose a file')
    .setInputFiles({ name: 'quiz.jsonl', mimeType: 'text/plain', buffer: Buffer.from('{"query": "Q"}\n') });
  await expect(panel.getByRole('alert')).toContainText('quiz.jsonl, line 1');
  expect(studio.problems).toEqual([]);
});

test('recovers the pruned model: a falling curve, a third column, a point on the chart', async ({ page }) => {
  const studio = new StudioPage(page);
  const panel = studio.panel('Recover');
  await studio.open('/?backend=wasm', SETTINGS);
  await studio.setRatio(50);
  await studio.show('Recover');
  await panel.getByRole('button', { name: 'Recover', exact: true }).click({ timeout: SLOW });
  await expect(panel.getByRole('button', { name: 'Stop and keep the best' })).toBeVisible();
  await expect(panel).toContainText('All steps were made', { timeout: 2 * SLOW });
  const kept = panel
    .getByRole('row')
    .filter({ has: page.getByRole('rowheader', { name: /^Recovered, kept step [1-3]$/ }) });
  expect((await kept.getByRole('cell').allInnerTexts())[1]).toMatch(/^−[\d.]+%$/);
  const label = (await panel.getByRole('img', { name: /^Loss over 3 steps/ }).getAttribute('aria-label')) ?? '';
  const [before = 0, after = 0] = [...label.matchAll(/(\d+\.\d+)/g)].map(([value]) => Number(value));
  expect(after).toBeLessThan(before);
  expect(await panel.locator('.held-out-point').count()).toBeGreaterThan(2);

  await isAccessible(page, ['recovery']);
  await expect((await studio.show('Compare')).getByRole('figure', { name: /^Perplexity/ })).toContainText(
    /recovered: [\d.]+/,
    { timeout: SLOW },
  );
  const read = studio.panel('Read');
  await read.getByRole('button', { name: 'Write' }).click();
  const recovered = read.getByRole('article').filter({ hasText: 'Recovered, 50% removed, LoRA' });
  await expect(recovered).toHaveAttribute('data-status', 'done', { timeout: SLOW });
  await expect(recovered).toContainText(/\d+ tokens/);
  await expect(
    (await studio.show('Zero-shot')).getByRole('rowheader', { name: 'Recovered, 50% removed, LoRA' }),
  ).toBeVisible();
  await isAccessible(page, ['read']);
  await fitsNarrowly(page);
  expect(studio.problems).toEqual([]);
});
