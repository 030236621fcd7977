import { readFile } from 'node:fs/promises';
import { expect, type Page, test } from '@playwright/test';
import { keptMeasurement } from './kept-measurement.ts';
import { plainHost } from './plain-host.ts';
import { SMALL, StudioPage } from './studio-page.ts';

/** What playwright.config.ts builds. */
const BUILT = 'node_modules/.cache/e2e';

/** Headers as deploy/huggingface-space/README.md asks the hub for them. */
async function spaceHeaders(): Promise<Record<string, string>> {
  const text = await readFile('deploy/huggingface-space/README.md', 'utf8');
  const block = /custom_headers:\n((?: {2}.+\n)+)/.exec(text)?.[1] ?? '';
  return Object.fromEntries(
    [...block.matchAll(/^ {2}([\w-]+): (.+)$/gm)].map(([, name = '', value = '']) => [name, value]),
  );
}

/** Headers as deploy/nginx/studio.conf adds them. */
async function nginxHeaders(): Promise<Record<string, string>> {
  const text = await readFile('deploy/nginx/studio.conf', 'utf8');
  return Object.fromEntries(
    [...text.matchAll(/add_header (\S+) "([^"]+)"/g)].map(([, name = '', value = '']) => [name, value]),
  );
}

/** Opens the studio and lets it measure: engine, runtime, model, tokenizer and texts were all found. */
async function measures(page: Page, address: string): Promise<StudioPage> {
  const studio = new StudioPage(page);
  await studio.open(address, SMALL);
  await keptMeasurement(page, 'perplexity', 180_000);
  return studio;
}

test('under a path, from a host that sends no headers: the service worker isolates the page, and minds its own', async ({
  page,
}) => {
  const host = await plainHost(BUILT, '/espalier/');
  const cached = () => page.evaluate(() => caches.keys());
  try {
    await page.goto(`${host.url}icon.svg`);
    await page.evaluate(async () => (await caches.open('transformers-cache')).put('/model', new Response('weights')));
    const studio = await measures(page, `${host.url}?backend=wasm`);
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    expect(host.strays.filter((path) => path !== '/favicon.ico')).toEqual([]);
    expect(studio.problems.filter((problem) => !problem.includes('404'))).toEqual([]);
    expect(await cached()).toEqual([
      'transformers-cache',
      expect.stringMatching(/^espalier \/espalier\/ [0-9a-f]{16}$/),
    ]);

    // Another program on the same port, later: it gets its own page, and nothing of the studio is left.
    host.become('<title>Another program</title>');
    await page.goto(host.url);
    await expect(page).toHaveTitle('Another program');
    await expect.poll(cached).toEqual(['transformers-cache']);
    await page.reload();
    expect(await page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length)).toBe(0);
  } finally {
    await host.close();
  }
});

test('a policy that forbids WebAssembly is told by its name', async ({ browser }) => {
  const host = await plainHost(BUILT, '/', { 'Content-Security-Policy': "script-src 'self'; worker-src 'self'" });
  const context = await browser.newContext({ serviceWorkers: 'block' });
  try {
    const page = await context.newPage();
    await new StudioPage(page).open(host.url, SMALL);
    await expect(page.getByRole('alert').filter({ hasText: "script-src needs 'wasm-unsafe-eval'" })).toBeVisible();
  } finally {
    await context.close();
    await host.close();
  }
});

test('where no service worker may run, one thread computes, and a sentence says why', async ({ browser }) => {
  const host = await plainHost(BUILT, '/espalier/');
  const context = await browser.newContext({ serviceWorkers: 'block' });
  try {
    const page = await context.newPage();
    await measures(page, host.url);
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
    await page.getByRole('button', { name: /WASM/ }).click();
    await expect(page.getByText(/one thread, since this page is not isolated/).first()).toBeVisible();
  } finally {
    await context.close();
    await host.close();
  }
});

for (const { name, path, headers } of [
  { name: "a Hugging Face Space, with its README's headers", path: '/', headers: spaceHeaders },
  { name: "nginx under a path, with the recipe's strict headers", path: '/espalier/', headers: nginxHeaders },
])
  test(`as on ${name}`, async ({ page }) => {
    const sent = await headers();
    expect(Object.keys(sent).length).toBeGreaterThanOrEqual(3);
    const host = await plainHost(BUILT, path, sent);
    try {
      const studio = await measures(page, `${host.url}?backend=wasm`);
      expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
      expect(host.strays).toEqual([]);
      expect(studio.problems.filter((problem) => !problem.includes('404'))).toEqual([]);
    } finally {
      await host.close();
    }
  });
