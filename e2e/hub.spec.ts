import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, test } from '@playwright/test';
import { writeSafetensors } from '../src/checkpoint/formats/safetensors/safetensors-write.ts';
import { type HubServer, startHub } from '../src/checkpoint/testing/hub-server.ts';
import type { HubPage } from './pages/hub.ts';

declare global {
  interface Window {
    readonly hubPage: HubPage;
  }
}

const values = Float32Array.from({ length: 50_000 }, (_, i) => i);
const weights = writeSafetensors(new Map([['a', { dtype: 'F32', shape: [values.length], data: values }]]));
const FILES = { 'config.json': new TextEncoder().encode('{"model_type":"llama"}'), 'model.safetensors': weights };
const TOTAL = FILES['config.json'].length + weights.length;

let hub: HubServer;
test.beforeEach(async ({ page, baseURL }) => {
  // The page's policy lets it talk to its own origin, so the hub serves the page too.
  hub = await startHub(
    'org/tiny',
    FILES,
    (request, response) => void forward(`${baseURL}${request.url}`, request, response),
  );
  await page.goto(`${hub.url}/e2e/pages/hub.html`);
  await page.waitForFunction(() => 'hubPage' in window);
});
test.afterEach(() => hub.close());

async function forward(url: string, _: IncomingMessage, response: ServerResponse): Promise<void> {
  const answer = await fetch(url);
  const headers = [...answer.headers].filter(
    ([name]) => !['content-encoding', 'content-length', 'transfer-encoding', 'connection', 'keep-alive'].includes(name),
  );
  response.writeHead(answer.status, headers.flat());
  response.end(Buffer.from(await answer.arrayBuffer()));
}

const model = () => ({ id: 'org/tiny', revision: 'main', endpoint: hub.url });

test('a model comes into the private file system, verified, and opens without the hub afterwards', async ({ page }) => {
  expect(await page.evaluate((each) => window.hubPage.plan(each), model())).toEqual({ bytes: TOTAL, present: 0 });
  const first = await page.evaluate((each) => window.hubPage.open(each), model());
  expect(first).toMatchObject({ first: 40_000, sha256: createHash('sha256').update(weights).digest('hex') });
  expect(first.completed.at(-1)).toBe(TOTAL);
  expect(await page.evaluate(() => window.hubPage.list())).toEqual([{ id: 'org/tiny', bytes: TOTAL }]);
  await page.reload();
  await page.waitForFunction(() => 'hubPage' in window);
  hub.mischief.status = 500;
  expect(await page.evaluate((each) => window.hubPage.open(each), model())).toMatchObject({
    first: 40_000,
    completed: [],
  });
});

test('cut connections, a cancelled download and a closed page are taken up by range', async ({ page }) => {
  hub.mischief.cut = { bytes: 50_000, times: 1 };
  hub.mischief.slow = 20;
  const cancelled = await page.evaluate((each) => window.hubPage.open(each, { cancelAt: 120_000 }), model());
  expect(cancelled.error).toMatchObject({ code: 'cancelled' });
  expect(await page.evaluate(() => window.hubPage.list())).toEqual([]);
  expect(await page.evaluate((commit) => window.hubPage.files('org/tiny', commit), hub.commit)).toEqual([
    'config.json',
    'model.safetensors.part',
  ]);
  await page.reload();
  await page.waitForFunction(() => 'hubPage' in window);
  hub.mischief.slow = undefined;
  hub.requests.length = 0;
  const outcome = await page.evaluate((each) => window.hubPage.open(each), model());
  expect(outcome).toMatchObject({ first: 40_000, sha256: createHash('sha256').update(weights).digest('hex') });
  expect(hub.requests.at(-1)).toMatch(/^\/cdn\/model\.safetensors bytes=\d{5,6}-$/);
  expect(outcome.completed).toEqual([...outcome.completed].sort((a, b) => a - b));
  expect(await page.evaluate((commit) => window.hubPage.files('org/tiny', commit), hub.commit)).toEqual([
    'config.json',
    'espalier-model.json',
    'model.safetensors',
  ]);
});

test('two pages that open the same model bring it once; it is not deleted meanwhile', async ({ page, context }) => {
  hub.mischief.slow = 100;
  const other = await context.newPage();
  await other.goto(`${hub.url}/e2e/pages/hub.html`);
  await other.waitForFunction(() => 'hubPage' in window);
  const first = page.evaluate((each) => window.hubPage.open(each), model());
  const second = other.evaluate((each) => window.hubPage.open(each), model());
  await expect.poll(() => hub.requests.some((request) => request.startsWith('/cdn/model.safetensors'))).toBe(true);
  const refusal = await other.evaluate(
    (commit) =>
      window.hubPage.delete('org/tiny', commit).then(
        () => undefined,
        (error: Error) => error.message,
      ),
    hub.commit,
  );
  expect(refusal).toMatch(/org\/tiny is being downloaded by another process or page/);
  const sha256 = createHash('sha256').update(weights).digest('hex');
  expect(await first).toMatchObject({ first: 40_000, sha256 });
  expect(await second).toMatchObject({ first: 40_000, sha256 });
  expect(hub.requests.filter((request) => request.startsWith('/cdn/model.safetensors'))).toEqual([
    '/cdn/model.safetensors',
  ]);
});

test('wrong bytes, a full store and a missing model are told', async ({ page }) => {
  hub.mischief.corrupt = 'model.safetensors';
  const corrupt = await page.evaluate((each) => window.hubPage.open(each), model());
  expect(corrupt.error?.message).toMatch(/model\.safetensors came with other bytes/);
  hub.mischief.corrupt = undefined;
  const full = await page.evaluate((each) => window.hubPage.open(each, { room: 1000 }), model());
  expect(full.error).toMatchObject({
    code: 'storage',
    message: expect.stringMatching(/needs 0\.2 MB and 0\.0 MB are free/),
  });
  const missing = await page.evaluate((each) => window.hubPage.open(each), { ...model(), id: 'org/other' });
  expect(missing.error?.code).toBe('missing');
});

test('stored models can be deleted, and the browser tells how much room there is', async ({ page }) => {
  await page.evaluate((each) => window.hubPage.open(each), model());
  expect(await page.evaluate(() => window.hubPage.available())).toBeGreaterThan(1e6);
  await page.evaluate((commit) => window.hubPage.delete('org/tiny', commit), hub.commit);
  expect(await page.evaluate(() => window.hubPage.list())).toEqual([]);
});
