import { readFileSync } from 'node:fs';
import { expect, test } from '@playwright/test';
import { decodeScores } from '../src/importance/files/score-file.ts';
import { makePlan } from '../src/plan/make-plan.ts';
import { encodePlan } from '../src/plan/plan-file.ts';
import { SMALL, StudioPage } from './studio-page.ts';

/** Computed on WebAssembly and in small: what is measured elsewhere is not measured again here. */
const TINY = { ...SMALL, comparedMethods: [], refineWindows: 1, refineEvaluations: 1, repairWindows: 2 };
/** Time for a computation on a machine that has other things to do. */
const PATIENT = 180_000;

test.use({ serviceWorkers: 'block' });

test('plans with all that the command line has: memory, minimums, widths in steps, weights', async ({ page }) => {
  const studio = new StudioPage(page);
  await studio.open('/?backend=wasm', { ...TINY, autoMeasure: false });
  const plan = await studio.show('Recipe');
  const neurons = plan.getByRole('definition').filter({ hasText: '3,072' });
  await expect(neurons).toBeVisible();

  await plan.getByText('Advanced').click();
  await plan.getByRole('spinbutton', { name: /^Widths in steps of/ }).fill('64');
  await studio.panel('Importance').getByRole('button', { name: 'View' }).click();
  await page.getByRole('radio', { name: 'Table' }).press('Space');
  await studio.closeSheets();
  const widths = await studio.panel('Importance').getByRole('row').locator('td:last-child').allInnerTexts();
  for (const text of widths) expect((512 - Number.parseInt(text, 10)) % 64).toBe(0);
  await plan.getByRole('spinbutton', { name: /^Neurons per layer/ }).fill('448');
  await studio.setRatio(10);
  for (const text of await studio.panel('Importance').getByRole('row').locator('td:last-child').allInnerTexts())
    expect(Number.parseInt(text, 10)).toBeLessThanOrEqual(64);

  const metrics = plan.getByRole('textbox', { name: /Metrics and weights/ });
  await metrics.fill('element-first+2*');
  await metrics.press('Enter');
  await expect(plan.getByRole('alert')).toContainText('is no metric');
  await metrics.fill('element-first+0.5*fisher');
  await metrics.press('Enter');
  await expect(plan.getByRole('combobox', { name: 'Rank by' })).toHaveValue('element-first+0.5*fisher');
  await plan.getByRole('button', { name: 'Back to the defaults' }).click();
  await expect(plan.getByRole('spinbutton', { name: /^Neurons per layer/ })).toHaveValue('');

  await plan.getByRole('combobox', { name: 'Target' }).selectOption('Memory');
  await plan.getByRole('spinbutton', { name: /^Cache of/ }).fill('256');
  await expect(plan.getByText('With its cache')).toBeVisible();
  await plan.getByRole('spinbutton', { name: /^At most/ }).fill('8');
  await expect(plan.getByRole('definition').filter({ hasText: '8.0 MB' })).toBeVisible();
  expect(studio.problems).toEqual([]);
});

test('takes groups as they are given, by a plan file and by pruning in passes, until the recipe is changed', async ({
  page,
}) => {
  const studio = new StudioPage(page);
  await studio.open('/?backend=wasm', { ...TINY, autoMeasure: false, recipePasses: 2 });
  const recipe = await studio.show('Recipe');
  const scores = await decodeScores(new Uint8Array(readFileSync('public/models/stories/scores.safetensors')));
  const plan = makePlan(scores, { target: { kind: 'ratio', value: 0.3 }, search: 'global' });
  await recipe
    .getByLabel('Recipe, plan or scores: choose a file')
    .setInputFiles({ name: 'mine.json', mimeType: 'application/json', buffer: Buffer.from(encodePlan(plan)) });
  await expect(recipe.getByRole('status')).toContainText('The groups are those of mine.json');
  await expect(studio.panel('Outcome')).toContainText('30%');
  await recipe.getByRole('button', { name: 'Plan from the scores' }).click();
  await expect(recipe.getByRole('status')).toBeHidden();

  await recipe.getByRole('button', { name: 'Plan in passes' }).click({ timeout: PATIENT });
  await expect(recipe.getByRole('status')).toContainText('The groups are those of 2 passes', { timeout: PATIENT });
  await studio.setRatio(20);
  await expect(recipe.getByRole('status')).toBeHidden();
  expect(studio.problems).toEqual([]);
});

test('repairs and refines a plan, writes both into the history, lays them over each other, and remembers', async ({
  page,
}) => {
  const studio = new StudioPage(page);
  await studio.open('/?backend=wasm', TINY);
  const plan = studio.panel('Recipe');
  const history = await studio.show('History');
  await expect(history.getByRole('checkbox', { name: 'Compare 20%, saap', exact: true })).toBeVisible({
    timeout: PATIENT,
  });

  await studio.show('Recipe');
  const refine = plan.getByRole('button', { name: 'Refine by measuring' });
  await refine.click();
  await expect(plan.getByRole('progressbar', { name: 'Refining' })).toBeVisible();
  await plan.getByRole('button', { name: 'Cancel' }).click();
  await expect(plan.getByRole('progressbar')).toBeHidden();
  await expect(plan).not.toContainText('Refined:');
  await refine.click();
  await expect(plan).toContainText(/Refined: KL from the dense model [\d.]+ nats/, { timeout: PATIENT });
  await expect(plan.getByRole('img', { name: /^KL from the dense model of \d+ plans/ })).toBeVisible();
  await plan.getByRole('combobox', { name: 'Repair' }).selectOption('least squares');
  await studio.show('History');
  await expect(history.getByRole('checkbox', { name: /^Compare 20%, .*least squares/ })).toBeVisible({
    timeout: PATIENT,
  });

  await history.getByRole('checkbox', { name: 'Compare 20%, saap', exact: true }).check();
  await history.getByRole('checkbox', { name: /least squares/ }).check();
  await expect(history.getByRole('img', { name: /Attention groups and neurons that stay per layer/ })).toBeVisible();
  await expect(history.getByRole('row').filter({ hasText: 'Perplexity' }).last()).toContainText('±');

  await page.reload();
  await expect(history.getByRole('checkbox', { name: /least squares/ })).toBeVisible();
  await studio.show('Recipe');
  await expect(plan.getByRole('combobox', { name: 'Repair' })).toHaveValue('least-squares');
  await page.getByRole('button', { name: 'Undo', exact: true }).click();
  await expect(plan.getByRole('combobox', { name: 'Repair' })).toHaveValue('none');
  await studio.show('History');
  await history.getByRole('button', { name: 'Go back to 20%, saap', exact: true }).click();
  await expect(await studio.show('Recipe')).not.toContainText('Refined:');
  await studio.show('History');
  await history.getByRole('button', { name: /^Remove .*least squares/ }).click();
  await expect(history.getByRole('checkbox', { name: /least squares/ })).toBeHidden();
  await history.getByRole('button', { name: 'Undo removing' }).click();
  await expect(history.getByRole('checkbox', { name: /least squares/ })).toBeVisible();
  expect(studio.problems).toEqual([]);
});

test('shows the calibration windows, of the shipped and of pasted text', async ({ page }) => {
  const studio = new StudioPage(page);
  await studio.open('/?backend=wasm', { ...TINY, autoMeasure: false, calibrationWindows: 6 });
  const calibration = await studio.show('Calibration');
  await calibration.getByText('Look at the windows').click();
  await expect(calibration.getByRole('status')).toContainText('Windows 1 to 4 of 6', { timeout: PATIENT });
  await expect(calibration.getByRole('listitem')).toHaveCount(4);
  await calibration.getByRole('button', { name: 'After' }).click();
  await expect(calibration.getByRole('status')).toContainText('Windows 5 to 6 of 6');
  await expect(calibration.getByRole('listitem')).toHaveCount(2);
  await calibration.getByRole('button', { name: 'Paste' }).click();
  await calibration
    .getByRole('textbox', { name: /paste text/ })
    .fill('The gardener ties the branches to the wall. '.repeat(3));
  await calibration.getByRole('textbox', { name: /paste text/ }).blur();
  await expect(calibration.getByRole('alert')).toContainText(/the text has \d+ tokens, enough for \d/);
  await calibration.getByRole('spinbutton', { name: 'Windows' }).fill('1');
  await expect(calibration.getByRole('listitem')).toHaveText([/branches|gardener|wall/]);
});

test('writes a verified model into a picked folder, leaves nothing when it is stopped, and hands out card and charts', async ({
  page,
}) => {
  const studio = new StudioPage(page);
  // The browser's own dialog cannot be driven; its private folder stands for the one that a person would pick.
  await page.addInitScript(() => {
    globalThis.showDirectoryPicker = async () =>
      (await navigator.storage.getDirectory()).getDirectoryHandle('picked', { create: true });
  });
  await studio.open('/?backend=wasm', { ...TINY, autoMeasure: false });
  const away = await studio.show('Take away');
  await expect(away.getByRole('button', { name: 'Model card' })).toBeDisabled();
  const intoFolder = away.getByRole('button', { name: 'Into a folder' });
  await intoFolder.click({ timeout: PATIENT });
  await away.getByRole('button', { name: 'Cancel' }).click();
  await expect(away.getByRole('progressbar')).toBeHidden();
  await expect.poll(() => page.evaluate(listPicked), { timeout: PATIENT }).toEqual([]);

  await intoFolder.click();
  await expect(away).toContainText(/All files are in the folder stories-pruned-20-f(16|32)/, { timeout: PATIENT });
  const written = await page.evaluate(listPicked);
  for (const name of [
    'README.md',
    'config.json',
    'espalier.json',
    'onnx/model_fp16.onnx',
    'onnx/model_fp16.onnx_data',
    'tokenizer.json',
  ])
    expect(written.map((path) => path.replace(/^stories-pruned-20-f(16|32)\//, ''))).toContain(name);
  expect(written.filter((name) => name.includes('NOT FINISHED'))).toEqual([]);

  const [card] = await Promise.all([
    page.waitForEvent('download'),
    away.getByRole('button', { name: 'Model card' }).click(),
  ]);
  expect(readFileSync(await card.path(), 'utf8')).toContain('# stories, pruned');
  const [picture] = await Promise.all([
    page.waitForEvent('download'),
    away.getByRole('button', { name: 'as PNG' }).click(),
  ]);
  expect([...readFileSync(await picture.path()).subarray(1, 4)]).toEqual([...Buffer.from('PNG')]);
  expect(studio.problems).toEqual([]);
});

/** Runs in the page: every file below the picked folder. */
async function listPicked(): Promise<string[]> {
  const names: string[] = [];
  const walk = async (folder: FileSystemDirectoryHandle, prefix: string) => {
    for await (const [name, handle] of folder.entries()) {
      if (handle.kind === 'file') names.push(prefix + name);
      else await walk(handle as FileSystemDirectoryHandle, `${prefix}${name}/`);
    }
  };
  await walk(await (await navigator.storage.getDirectory()).getDirectoryHandle('picked', { create: true }), '');
  return names;
}
