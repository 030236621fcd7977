import { readFileSync } from 'node:fs';
import { expect, type Page, test } from '@playwright/test';
import { SMALL, StudioPage } from './studio-page.ts';

const TRAINING = {
  recoverMethod: 'lora',
  recoverSteps: 6,
  recoverBatch: 8,
  recoverLength: 32,
  recoverRates: { groupWise: 0.03, lora: 0.005 },
};
const SETTINGS = { ...SMALL, autoMeasure: false, maxNewTokens: 4, ...TRAINING };
/** Time for a step on a machine that has other work too. */
const SLOW = 120_000;

const SHORT =
  'Once upon a time there was a little tree. It grew in a garden by the wall. One day the gardener came. '.repeat(8);

test.use({ serviceWorkers: 'block' });

/** Steps with their losses, as the page hands them out. */
async function losses(page: Page, studio: StudioPage): Promise<(number | undefined)[][]> {
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    studio.panel('Recover').getByRole('button', { name: 'Losses, CSV' }).click(),
  ]);
  const [, ...lines] = readFileSync(await file.path(), 'utf8')
    .trim()
    .split('\n');
  return lines.map((line) => line.split(',').map((cell) => (cell === '' ? undefined : Number(cell))));
}

test('a training goes on after a reload to the losses of one that was never interrupted, and the history keeps the result', async ({
  page,
}) => {
  const studio = new StudioPage(page);
  const panel = studio.panel('Recover');
  const recover = panel.getByRole('button', { name: 'Recover', exact: true });
  const finish = () => expect(panel).toContainText('All steps were made', { timeout: SLOW });
  await studio.open('/?backend=wasm', SETTINGS);
  await studio.setRatio(50);
  await studio.show('Recover');
  await recover.click({ timeout: SLOW });
  await finish();
  const whole = await losses(page, studio);
  expect(whole.map(([step]) => step)).toEqual([0, 1, 2, 3, 4, 5, 6]);

  await recover.click();
  // Looked at often: on a fast machine all six steps are made within a second.
  const points = () => panel.locator('.held-out-point').count();
  await expect.poll(points, { timeout: SLOW, intervals: [20] }).toBeGreaterThan(2);
  await page.reload();
  const goOn = panel.getByRole('button', { name: /^Continue from step [1-5]$/ });
  await expect(goOn).toBeVisible({ timeout: SLOW });
  await expect(panel).toContainText(/This training stopped at step [1-5] of 6/);
  expect(await panel.locator('.held-out-point').count()).toBeGreaterThan(1);
  await goOn.click({ timeout: SLOW });
  await finish();
  expect(await losses(page, studio)).toEqual(whole);
  await expect(recover).toBeVisible();

  await studio.show('History');
  const recovered = studio.panel('History').getByRole('rowheader', { name: /recovered with LoRA, step [1-6] of 6/ });
  await expect(recovered.first()).toBeVisible({ timeout: SLOW });
  await page.waitForTimeout(1500);
  await page.reload();
  await expect(recovered.first()).toBeVisible({ timeout: SLOW });
  await expect(
    (await studio.show('Compare')).getByRole('figure', { name: /Recovered, 50% removed, LoRA: [\d.]+/ }),
  ).toBeVisible({ timeout: SLOW });
  await studio.show('Recover');
  await expect(panel).toContainText('This training is finished and is kept in this browser', { timeout: SLOW });
  await panel.getByRole('button', { name: 'Bring it back' }).click();
  await finish();
  expect(await losses(page, studio)).toEqual(whole);
  await expect(recover).toBeEnabled({ timeout: SLOW });
  await expect(panel.getByRole('button', { name: 'Build and verify as f32' })).toBeVisible();
  await studio.show('History');
  await expect(recovered).toHaveCount(1);
  await studio.show('Recover');
  await panel.getByRole('spinbutton', { name: 'Steps' }).fill('40');
  await panel.getByRole('spinbutton', { name: 'Steps' }).blur();
  await recover.click();
  await expect.poll(() => panel.locator('.held-out-point').count(), { timeout: SLOW }).toBeGreaterThan(1);
  await panel.getByRole('button', { name: 'Stop and keep the best' }).click();
  await expect(panel).toContainText('Stopped by you', { timeout: SLOW });
  await expect(panel.getByRole('button', { name: /^Continue from step \d+$/ })).toBeVisible();
  await panel.getByRole('spinbutton', { name: 'Windows a step' }).fill('9');
  await panel.getByRole('spinbutton', { name: 'Windows a step' }).blur();
  await expect(panel).toContainText(
    /Another training is kept in this browser: 50% removed, LoRA, stopped at step \d+ of 40/,
  );
  await expect(recover).toBeVisible();
  await panel.getByRole('button', { name: 'Forget it' }).click();
  await expect(panel).not.toContainText('kept in this browser');
  expect(studio.problems).toEqual([]);
});

test('trains on WebGPU to the losses of WASM', async ({ browser }) => {
  const found: (number | undefined)[][][] = [];
  for (const backend of ['wasm', 'webgpu']) {
    const page = await browser.newPage();
    const studio = new StudioPage(page);
    await studio.open(`/?backend=${backend}`, {
      ...SETTINGS,
      recoverMethod: 'group-wise-4',
      recoverSteps: 2,
      recoverBatch: 2,
      recoverLength: 16,
    });
    await studio.setRatio(50);
    await studio.show('Recover');
    // A short text: a software adapter takes its time for what is held out.
    const chooser = studio.panel('Recover').getByLabel('Train on: choose a file');
    await chooser.setInputFiles({ name: 'short.txt', mimeType: 'text/plain', buffer: Buffer.from(SHORT) });
    await studio
      .panel('Recover')
      .getByRole('button', { name: 'Recover', exact: true })
      .click({ timeout: 2 * SLOW });
    await expect(studio.panel('Recover')).toContainText('All steps were made', { timeout: 2 * SLOW });
    found.push(await losses(page, studio));
    expect(studio.problems).toEqual([]);
    await page.close();
  }
  const [wasm = [], webgpu = []] = found;
  expect(webgpu).toHaveLength(3);
  for (const [index, [step, trained, heldOut]] of webgpu.entries()) {
    const [sameStep, ...expected] = wasm[index] ?? [];
    expect(step).toBe(sameStep);
    for (const [place, value] of [trained, heldOut].entries()) {
      if (value === undefined) expect(expected[place]).toBeUndefined();
      else expect(Math.abs(value - (expected[place] ?? Number.NaN))).toBeLessThan(1e-3);
    }
  }
});
