import { expect, type Page, test } from '@playwright/test';
import { startUploadHub, type UploadHub } from '../src/checkpoint/testing/upload-hub.ts';
import { SMALL, StudioPage } from './studio-page.ts';

const PATIENT = 240_000;
const TOKEN = 'hf_typed_for_this_once';
const PUBLIC = 'https://huggingface.co';

test.use({ serviceWorkers: 'block' });

let hub: UploadHub;
test.beforeEach(async () => {
  hub = await startUploadHub(TOKEN);
});
test.afterEach(() => hub.close());

/** Answers for the public hub with the one on this machine, which also takes the large files. */
async function standIn(page: Page): Promise<void> {
  await page.route(`${PUBLIC}/**`, async (route) => {
    const { pathname, search } = new URL(route.request().url());
    try {
      const response = await route.fetch({ url: `${hub.url}${pathname}${search}` });
      const headers = { ...response.headers(), 'access-control-allow-origin': '*' };
      await route.fulfill({ response, headers, body: (await response.text()).replaceAll(hub.url, PUBLIC) });
    } catch {
      // The connection was cut, or the page gave the request up.
      await route.abort().catch(() => undefined);
    }
  });
}

test('takes a model away in three formats of a plain shape, and publishes it with a token that is kept nowhere', async ({
  page,
}) => {
  await standIn(page);
  const studio = new StudioPage(page);
  await studio.open('/?backend=wasm', { ...SMALL, autoMeasure: false });
  const away = await studio.show('Take away');

  await test.step('what shapes cost is measured before one is chosen', async () => {
    await away.getByRole('button', { name: 'Measure the three shapes' }).click({ timeout: PATIENT });
    const shapes = away.getByRole('group', { name: 'Shape' });
    for (const shape of ['free', 'uniform', 'standard'])
      await expect(shapes.locator('label').filter({ hasText: new RegExp(`^${shape}`) })).toContainText(
        /perplexity [\d.]+, KL \d\.\d{3}/,
        { timeout: PATIENT },
      );
    await shapes
      .locator('label')
      .filter({ hasText: /^standard/ })
      .click();
    await expect(away).toContainText('llama.cpp, as the family’s own architecture');
  });

  await test.step('every format is opened again and compared', async () => {
    await away.getByRole('checkbox', { name: 'safetensors' }).check();
    await away.getByRole('checkbox', { name: 'GGUF' }).check();
    await away.getByRole('combobox', { name: 'GGUF numbers' }).selectOption('Q8_0');
    await away.getByRole('button', { name: 'Build and verify' }).click();
    await expect(away).toContainText(/Verified\. stories-Q8_0\.gguf.*for llama\.cpp \(llama\)/, { timeout: PATIENT });
    await expect(away).toContainText(/Verified\. model\.safetensors.*float16, for transformers\./);
    await expect(away).toContainText(/Verified\. onnx\/model_fp16\.onnx/);
  });

  const publish = away.locator('details').filter({ hasText: 'Publish on the Hugging Face hub' });
  const fill = async (token: string) => {
    await publish.getByRole('textbox', { name: 'Repository' }).fill('me/stories-20');
    await publish.getByLabel('Access token').fill(token);
    await publish.getByRole('button', { name: /^Publish stories/ }).click();
  };

  await test.step('a token without rights publishes nothing', async () => {
    await publish.getByText('Publish on the Hugging Face hub').click();
    await fill('hf_of_somebody_else');
    await expect(publish.getByRole('alert')).toContainText('does not let this token write to me/stories-20', {
      timeout: PATIENT,
    });
    expect(hub.repositories.size).toBe(0);
  });

  await test.step('what is cancelled publishes nothing', async () => {
    let cancelled: Promise<void> | undefined;
    hub.mischief.onUpload = () => {
      cancelled ??= publish.getByRole('button', { name: 'Cancel' }).click();
      return cancelled;
    };
    await fill(TOKEN);
    await expect(publish).toContainText('Cancelled: nothing was published.', { timeout: PATIENT });
    await cancelled;
    delete hub.mischief.onUpload;
    await expect.poll(() => hub.repositories.size, { timeout: PATIENT }).toBe(0);
  });

  await test.step('all files are published at once, and the token is gone', async () => {
    await publish.getByRole('textbox', { name: 'Licence' }).fill('apache-2.0');
    await publish.getByRole('textbox', { name: 'Base model' }).fill('me/stories');
    await fill(TOKEN);
    await expect(publish.getByRole('status')).toContainText(`${PUBLIC}/me/stories-20`, { timeout: PATIENT });
    const published = hub.repositories.get('me/stories-20');
    expect(published?.isPrivate).toBe(true);
    const names = [...(published?.files.keys() ?? [])];
    for (const name of [
      'config.json',
      'model.safetensors',
      'stories-Q8_0.gguf',
      'onnx/model_fp16.onnx',
      'espalier.json',
    ])
      expect(names).toContain(name);
    const card = new TextDecoder().decode(published?.files.get('README.md'));
    expect(card).toContain('license: apache-2.0\nbase_model: me/stories\n');
    await expect(publish.getByLabel('Access token')).toHaveValue('');
    const kept = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
    expect(kept).not.toContain(TOKEN);
  });
  // The browser tells of refused and given up requests by itself.
  expect(studio.problems.filter((problem) => !/Failed to load resource/.test(problem))).toEqual([]);
});
