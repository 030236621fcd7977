import { readFileSync } from 'node:fs';
import { expect, test } from '@playwright/test';
import { unzipSync } from 'fflate';
import { SMALL, StudioPage } from './studio-page.ts';

const PATIENT = 240_000;

test.use({ serviceWorkers: 'block' });

test('the vocabulary is one more bar beside attention and MLP, with what it costs, and half of it goes with the export', async ({
  page,
}) => {
  const studio = new StudioPage(page);
  await studio.open('/?backend=wasm', { ...SMALL, measureLength: 32, autoMeasure: false });
  const recipe = await studio.show('Recipe');
  const bars = recipe.getByRole('list', { name: 'What stays' }).getByRole('listitem');
  const vocabulary = recipe.getByRole('region', { name: 'Vocabulary' });

  await test.step('three bars, and all tokens stay', async () => {
    await expect(bars).toHaveCount(3);
    await expect(bars.nth(0)).toContainText('Attention');
    await expect(bars.nth(1)).toContainText('MLP');
    await expect(bars.nth(2)).toHaveText('Vocabulary100%, 4,096 of 4,096 tokens');
  });

  await test.step('half of it, and what that costs', async () => {
    await vocabulary.getByRole('combobox', { name: 'Vocabulary, what stays' }).selectOption('0.5');
    await expect(bars.nth(2)).toHaveText('Vocabulary50%, 2,048 of 4,096 tokens');
    await vocabulary.getByRole('button', { name: 'Measure what it costs' }).click();
    const cost =
      /^2,048 tokens: ([\d.]+) per word instead of ([\d.]+), ([\d.]+) bits per byte instead of ([\d.]+), ([\d.]+) MB less in f32/;
    await expect(vocabulary.getByRole('status').filter({ hasText: cost })).toBeVisible({ timeout: PATIENT });
    const [, after = '', before = '', , , saved = ''] =
      cost.exec(((await vocabulary.getByRole('status').filter({ hasText: cost }).textContent()) ?? '').trim()) ?? [];
    expect(Number(after)).toBeGreaterThan(Number(before));
    // 2,048 rows of 256 in floats.
    expect(Number(saved)).toBeCloseTo(2.1, 1);
  });

  await test.step('the export has half the rows, and its tokenizer half the tokens', async () => {
    await studio.closeSheets();
    const away = await studio.show('Take away');
    await away.getByRole('button', { name: 'Build and verify' }).click();
    await expect(away).toContainText(/Verified\. onnx\/model_fp16\.onnx/, { timeout: PATIENT });
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      away.getByRole('button', { name: /^Download .*\.zip/ }).click(),
    ]);
    const files = unzipSync(readFileSync(await file.path()), {
      filter: ({ name }) => /(^|\/)(config|tokenizer)\.json$/.test(name),
    });
    const json = (name: string) =>
      JSON.parse(new TextDecoder().decode(Object.entries(files).find(([path]) => path.endsWith(name))?.[1])) as {
        vocab_size?: number;
        model?: { vocab: Record<string, number> };
      };
    expect(json('/config.json').vocab_size).toBe(2048);
    expect(Math.max(...Object.values(json('/tokenizer.json').model?.vocab ?? {}))).toBeLessThan(2048);
  });
  expect(studio.problems).toEqual([]);
});
