import { readFileSync } from 'node:fs';
import { expect, type Page, test } from '@playwright/test';
import { type HubServer, startHub } from '../src/checkpoint/testing/hub-server.ts';
import { SMALL, StudioPage } from './studio-page.ts';

const NAMES = ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'];
const FILES = Object.fromEntries(
  NAMES.map((name) => [name, new Uint8Array(readFileSync(`public/models/stories/${name}`))]),
);
const PATIENT = 180_000;

test.use({ serviceWorkers: 'block' });

let hub: HubServer;
test.beforeEach(async () => {
  hub = await startHub('org/stories', FILES);
});
test.afterEach(() => hub.close());

/** Answers for the public hub with the one on this machine; the weights wait for `gate`. */
async function standIn(page: Page, gate: () => Promise<void>): Promise<void> {
  await page.route('https://huggingface.co/**', async (route) => {
    const { pathname, search } = new URL(route.request().url());
    if (pathname.endsWith('model.safetensors')) await gate();
    try {
      await route.fulfill({ response: await route.fetch({ url: `${hub.url}${pathname}${search}` }) });
    } catch {
      // The page gave the request up.
      await route.abort().catch(() => undefined);
    }
  });
}

test('finds a model, gated ones with a token that is kept nowhere, downloads it, goes on after a stop, and says what is wrong', async ({
  page,
}) => {
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  let weightsAsked = 0;
  await standIn(page, () => {
    weightsAsked += 1;
    return gate;
  });
  const studio = new StudioPage(page);
  await studio.open('/?backend=wasm', { ...SMALL, autoMeasure: false });
  const model = await studio.show('Model');
  const name = model.getByRole('textbox', { name: /From the Hugging Face hub/ });
  const lookUp = async (asked: string) => {
    await name.fill(asked);
    await name.press('Enter');
  };
  await model.getByText('Open another model').click();

  await lookUp('org/none');
  await expect(model.getByRole('alert')).toContainText('has no model org/none', { timeout: PATIENT });
  hub.mischief.token = 'hf_secret';
  await lookUp('org/stories');
  await expect(model.getByRole('alert')).toContainText('type an access token for it here', { timeout: PATIENT });
  const token = model.getByLabel('Access token');
  await model.getByText('A private model, or one whose terms').click();
  await token.fill('hf_wrong');
  await lookUp('org/stories');
  await expect(model.getByRole('alert')).toContainText('Check the token.', { timeout: PATIENT });
  await token.fill('hf_secret');

  await lookUp('org/stories');
  await expect(model.getByRole('status')).toContainText(/org\/stories, mit, 9\.\d MB to download/, {
    timeout: PATIENT,
  });
  await model.getByRole('button', { name: 'Download and open' }).click();
  await expect(model.getByRole('progressbar', { name: 'Opening the model' })).toBeVisible();
  // The small files come first; once the weights are asked for, these are here.
  await expect.poll(() => weightsAsked, { timeout: PATIENT }).toBeGreaterThan(0);
  await model.getByRole('button', { name: 'Cancel' }).click();
  // The model before is still there.
  await expect(model.getByRole('progressbar', { name: 'Opening the model' })).toBeHidden({ timeout: PATIENT });
  await expect(model.getByRole('definition').filter({ hasText: /^stories$/ })).toBeVisible();
  await expect(token).toHaveValue('');
  await token.fill('hf_secret');
  await lookUp('org/stories');
  await expect(model.getByRole('status')).toContainText('are here already', { timeout: PATIENT });
  open();
  await model.getByRole('button', { name: 'Go on downloading' }).click();
  // The name is there while the model comes; its weights are told once it is open.
  await expect(model.getByRole('definition').filter({ hasText: /^9\.\d MB$/ })).toBeVisible({ timeout: PATIENT });
  await expect(studio.panel('Importance')).toContainText('No scores yet');

  const kept = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
  expect(kept).not.toContain('hf_secret');
  hub.mischief.status = 500;
  await page.reload();
  await studio.show('Model');
  await expect(model.getByRole('definition').filter({ hasText: 'org/stories' })).toBeVisible({ timeout: PATIENT });
  await model.getByText('Open another model').click();
  await expect(model.getByRole('heading', { name: /Stored in this browser, 9\.\d MB/ })).toBeVisible({
    timeout: PATIENT,
  });
  await expect(model.getByRole('button', { name: 'Delete org/stories' })).toBeDisabled();
  await model.getByRole('button', { name: 'Back to stories' }).click();
  await model.getByRole('button', { name: 'Delete org/stories' }).click({ timeout: PATIENT });
  await model.getByRole('button', { name: /^Delete 9\.\d MB/ }).click();
  await expect(model.getByRole('heading', { name: /Stored in this browser/ })).toBeHidden({ timeout: PATIENT });
});
