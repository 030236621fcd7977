import { expect, test } from '@playwright/test';
import { findWebKit } from '../scripts/browser.mjs';
import { readKept } from './kept-measurement.ts';
import { plainHost } from './plain-host.ts';
import { SMALL } from './studio-page.ts';
import { type DrivenPage, startWebDriver } from './webdriver.ts';

const WEBKIT = findWebKit();
const PATIENT = 240_000;

test.describe('in WebKit', () => {
  test.skip(
    WEBKIT === undefined && process.env.REQUIRE_WEBKIT !== '1',
    'WebKit is not installed (on Debian: apt-get install webkit2gtk-driver xvfb).',
  );

  test('the studio measures, writes and builds on WebAssembly, and says what the browser lacks', async () => {
    test.setTimeout(3 * PATIENT);
    expect(WEBKIT, 'WebKit is required (REQUIRE_WEBKIT=1)').toBeDefined();
    const host = await plainHost('node_modules/.cache/e2e', '/espalier/');
    const page = await startWebDriver(WEBKIT ?? '');
    try {
      // Choices of an earlier visit, left from an address of the origin that is not the studio.
      await page.goto(`${host.url}icon.svg`);
      const state = { ...SMALL, autoRead: true };
      await page.evaluate('localStorage.setItem("espalier-studio", values[0]);', JSON.stringify({ state, version: 1 }));
      await page.goto(host.url);
      const perplexity = await until(page, `return (${readKept})('perplexity');`);
      expect(perplexity).toMatchObject({ perplexity: expect.any(Number) });
      expect(await page.evaluate('return crossOriginIsolated;')).toBe(true);

      await until(page, `return document.querySelector('[data-pane="pruned"][data-status="done"]') !== null;`);
      const text = `return document.querySelector('[data-pane="pruned"] .pane-text').textContent;`;
      expect(await page.evaluate(text)).toMatch(/^ ?\w+ \w+/);

      await page.evaluate(`document.querySelector('button[data-backend]').click();`);
      const words = String(await page.evaluate('return document.body.textContent;'));
      expect(words).toMatch(/WebGPU cannot be used here/);
      const keepsFiles = await page.evaluate('return navigator.storage?.getDirectory !== undefined;');
      expect(/no private file system/.test(words)).toBe(!keepsFiles);

      for (const name of ['Export', 'Build and verify'])
        await until(
          page,
          `const found = [...document.querySelectorAll('button')].find((each) => each.textContent.startsWith('${name}'));
          const isReady = found?.disabled === false;
          if (isReady) found.click();
          return isReady;`,
        );
      await until(page, `return document.body.textContent.includes('Verified.');`);
    } finally {
      await page.close();
      await host.close();
    }
  });
});

/** Asks the page until it answers with something that is true, and returns that. */
async function until(page: DrivenPage, body: string): Promise<unknown> {
  for (let waited = 0; waited < PATIENT; waited += 500) {
    // The page loads a second time to be isolated, and a context that goes cannot answer.
    const answer = await page.evaluate(body).catch(() => undefined);
    if (answer) return answer;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error(`In vain: ${body} The page shows: ${await page.evaluate('return document.body.innerText;')}`);
}
