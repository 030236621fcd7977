import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { expect, test } from '@playwright/test';
import { type HubServer, startHub } from '../src/checkpoint/testing/hub-server.ts';

/** The page of docs/tutorial.md, from a hub on this machine to a pruned model. */
const FOLDER = new URL('../public/models/stories/', import.meta.url);
const FILES = Object.fromEntries(
  ['config.json', 'generation_config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'].map(
    (name) => [name, new Uint8Array(readFileSync(new URL(name, FOLDER)))],
  ),
);

let hub: HubServer;
test.beforeEach(async ({ baseURL }) => {
  // The policy of the built pages lets them talk to their own origin, so the hub serves the page too.
  hub = await startHub('org/stories', FILES, (request, response) => void forward(`${baseURL}${request.url}`, response));
});
test.afterEach(() => hub.close());

async function forward(url: string, response: ServerResponse): Promise<void> {
  const answer = await fetch(url);
  const dropped = ['content-encoding', 'content-length', 'transfer-encoding', 'connection', 'keep-alive'];
  response.writeHead(answer.status, [...answer.headers].filter(([name]) => !dropped.includes(name)).flat());
  response.end(Buffer.from(await answer.arrayBuffer()));
}

test('prunes a model of a hub in a page of one’s own', async ({ page }) => {
  await page.goto(`${hub.url}/e2e/pages/tutorial.html?hub=${encodeURIComponent(hub.url)}`);
  await page.getByLabel('Model').fill('org/none');
  await page.getByLabel('Text').fill(readFileSync(new URL('evaluation.txt', FOLDER), 'utf8').slice(0, 6000));
  await page.getByRole('button', { name: 'Prune' }).click();
  await expect(page.getByRole('status')).toContainText('org/none');
  await page.getByLabel('Model').fill('org/stories');
  await page.getByRole('button', { name: 'Prune' }).click();
  const link = page.getByRole('link', { name: 'Take the pruned model away' });
  await expect(link).toBeVisible({ timeout: 240_000 });
  await expect(page.getByRole('status')).toHaveText(
    /^4590848 parameters became 38\d{5}; checked at \d{3} positions\.$/,
  );
  expect((await page.locator('pre').textContent())?.length).toBeGreaterThan(40);
  const size = await link.evaluate(async (each: HTMLAnchorElement) => (await (await fetch(each.href)).blob()).size);
  expect(size).toBeGreaterThan(3_000_000);
});
