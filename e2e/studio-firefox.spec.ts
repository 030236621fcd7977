import { expect, test } from '@playwright/test';
import { type Browser, launch, type Page } from 'puppeteer-core';
import { findFirefox } from '../scripts/browser.mjs';
import { readKept } from './kept-measurement.ts';
import { plainHost } from './plain-host.ts';
import { SMALL } from './studio-page.ts';

const FIREFOX = findFirefox();

test.describe('in Firefox', () => {
  test.skip(
    FIREFOX === undefined && process.env.REQUIRE_FIREFOX !== '1',
    'Firefox is not installed (on Debian: apt-get install firefox-esr).',
  );
  let browser: Browser;

  test.beforeAll(async () => {
    expect(FIREFOX, 'Firefox is required (REQUIRE_FIREFOX=1)').toBeDefined();
    browser = await launch({ browser: 'firefox', ...(FIREFOX && { executablePath: FIREFOX }), headless: true });
  });
  test.afterAll(() => browser?.close());

  test('the studio computes on WebAssembly, isolated by its service worker, and says why not on WebGPU', async () => {
    const host = await plainHost('node_modules/.cache/e2e', '/espalier/');
    const page = await browser.newPage();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(String(error)));
    try {
      await page.evaluateOnNewDocument((state) => {
        // The empty page before the studio's has no storage, and says so by an error.
        if (location.protocol === 'http:')
          localStorage.setItem('espalier-studio', JSON.stringify({ state, version: 1 }));
      }, SMALL);
      await page.goto(host.url);
      const { perplexity } = (await measured(page)) as { readonly perplexity: number };
      expect(perplexity).toBeGreaterThan(1);
      expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
      await page.click('button[data-backend]');
      expect(await page.evaluate(() => document.body.textContent)).toMatch(/WebGPU cannot be used here/);
      expect(problems).toEqual([]);
    } finally {
      await page.close();
      await host.close();
    }
  });
});

async function measured(page: Page): Promise<object> {
  for (let waited = 0; waited < 240_000; waited += 1000) {
    // The page loads a second time to be isolated, and a context that goes cannot answer.
    const kept = await page.evaluate(readKept, 'perplexity').catch(() => undefined);
    if (kept) return kept;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  throw new Error(`Nothing was measured. The page shows: ${await page.evaluate(() => document.body.textContent)}`);
}
