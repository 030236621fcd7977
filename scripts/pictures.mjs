import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright';
import { CHROMIUM_ARGUMENTS, findBrowser } from './browser.mjs';

/**
 * Takes the pictures of the README anew from the built studio, on WebAssembly: the main act in four pictures, and the bench as docs/studio.png.
 * `node scripts/pictures.mjs`.
 */
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLDER = join(ROOT, 'docs/act');
const PATIENT = 300_000;

/** The address of a studio that is served until `stop`. */
async function served() {
  const server = spawn(process.execPath, ['bin/espalier.js', 'studio', '--port', '0', '--json'], { cwd: ROOT });
  const url = await new Promise((resolve, reject) => {
    let text = '';
    server.stdout.on('data', (chunk) => {
      text += chunk;
      const [, found] = /"url":\s*"([^"]+)"/.exec(text) ?? [];
      if (found) resolve(found);
    });
    server.on('exit', (code) => reject(new Error(`The studio ended with ${code} before it was served.`)));
  });
  return { url: String(url), stop: () => server.kill() };
}

const { url, stop } = await served();
const executablePath = findBrowser();
const browser = await chromium.launch({ ...(executablePath && { executablePath }), args: CHROMIUM_ARGUMENTS });
try {
  mkdirSync(FOLDER, { recursive: true });
  const page = await browser.newPage({ viewport: { width: 1280, height: 660 }, reducedMotion: 'reduce' });
  const state = { tourSeen: true, drawer: null, recipe: { target: { kind: 'ratio', value: 0 } } };
  await page.addInitScript(`localStorage.setItem('espalier-studio', '${JSON.stringify({ state, version: 1 })}')`);
  await page.goto(`${url}?backend=wasm`);
  const slider = page.getByRole('slider', { name: 'Ratio to remove', exact: true });
  /** @param {string} side */
  const written = (side) => page.locator(`[data-pane="${side}"][data-status="done"]`).waitFor({ timeout: PATIENT });
  /** @param {number} ratio */
  const drag = async (ratio) => {
    const box = await slider.boundingBox();
    if (!box) throw new Error('The slider is not drawn.');
    const x = box.x + 11 + ((box.width - 22) * ratio) / 0.8;
    await page.mouse.move(x, box.y + box.height / 2);
    await page.mouse.down();
    await page.mouse.up();
    await page.mouse.move(0, 0);
    await written('pruned');
    await written('dense');
  };
  /** Waits until the figures are measured, and no estimates. */
  const measured = async () => {
    const grid = page.locator('.figure-grid');
    for (const end = Date.now() + PATIENT; Date.now() < end; await page.waitForTimeout(250)) {
      const isEstimate = (await grid.locator('.estimate').count()) > 0;
      if (!isEstimate && !/not measured|measuring/.test((await grid.textContent()) ?? '')) return;
    }
    throw new Error('The figures were not measured in time.');
  };
  await written('dense');
  await page.screenshot({ path: join(FOLDER, '1-whole.png') });
  await drag(0.2);
  await measured();
  await page.screenshot({ path: join(FOLDER, '2-fifth.png') });
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.screenshot({ path: join(ROOT, 'docs/studio.png') });
  await page.setViewportSize({ width: 1280, height: 660 });
  await drag(0.5);
  await measured();
  await page.screenshot({ path: join(FOLDER, '3-half.png') });
  await drag(0.2);
  await page.getByRole('button', { name: /^Export/ }).click();
  await page.getByRole('button', { name: 'Build and verify' }).click();
  await page.getByText('Verified.').waitFor({ timeout: PATIENT });
  await page.screenshot({ path: join(FOLDER, '4-away.png') });
} finally {
  await browser.close();
  stop();
}
