import AxeBuilder from '@axe-core/playwright';
import { expect, type Page, test } from '@playwright/test';
import { encodeScores } from '../src/importance/files/score-file.ts';
import { syntheticScores } from '../src/importance/testing/synthetic-scores.ts';
import { SMALL, StudioPage } from './studio-page.ts';

const STILL = { ...SMALL, autoMeasure: false };
const SIZES = ['320x640', '390x844', '640x330', '1280x660', '1440x900', '1920x1080'] as const;
/** Where the whole page is written as pictures, for people to look at. */
const PICTURES = 'node_modules/.cache/studio';
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

test.use({ serviceWorkers: 'block' });

/** Runs in the page: texts that are cut off, in boxes that hide what does not fit, in fields, or at the edge of their chart. */
function clippedTexts(): string[] {
  const found: string[] = [];
  const ink = document.createElement('canvas').getContext('2d');
  const isShown = (element: Element) =>
    element.checkVisibility({ visibilityProperty: true }) &&
    !element.closest('.visually-hidden, .skip') &&
    getComputedStyle(element).clipPath !== 'inset(50%)';
  const tell = (element: Element, text: string) =>
    found.push(
      `${element.tagName.toLowerCase()}.${element.getAttribute('class') ?? ''}: "${text.trim().slice(0, 60)}"`,
    );
  for (const element of document.querySelectorAll<HTMLElement>('body *:not(svg *)')) {
    const hasText = [...element.childNodes].some(
      (node) => node.nodeType === Node.TEXT_NODE && node.textContent?.trim(),
    );
    if (
      hasText &&
      isShown(element) &&
      getComputedStyle(element).overflowX === 'hidden' &&
      element.scrollWidth > element.clientWidth + 1
    )
      tell(element, element.textContent ?? '');
  }
  for (const field of document.querySelectorAll<HTMLSelectElement | HTMLInputElement>(
    'select, input[type="number"], input[type="text"]',
  )) {
    if (!isShown(field) || !ink) continue;
    const style = getComputedStyle(field);
    ink.font = style.font;
    const text =
      field instanceof HTMLSelectElement ? (field.selectedOptions[0]?.text ?? '') : field.value || field.placeholder;
    const room = field.clientWidth - Number.parseFloat(style.paddingLeft) - Number.parseFloat(style.paddingRight);
    if (ink.measureText(text).width > room + 1) tell(field, text);
  }
  for (const chart of document.querySelectorAll('svg')) {
    const { left, right } = chart.getBoundingClientRect();
    for (const text of chart.querySelectorAll('text')) {
      const box = text.getBoundingClientRect();
      if (isShown(text) && box.width > 0 && (box.left < left - 3 || box.right > right + 3))
        tell(text, text.textContent ?? '');
    }
  }
  return found;
}

const CASES = [
  { name: 'light', colorScheme: 'light', forcedColors: 'none' },
  { name: 'dark', colorScheme: 'dark', forcedColors: 'none' },
  { name: 'forced', colorScheme: 'dark', forcedColors: 'active' },
] as const;

for (const { name, colorScheme, forcedColors } of CASES) {
  test(`is accessible, fits every size and cuts nothing off, ${name}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme, forcedColors, reducedMotion: 'reduce' });
    const studio = new StudioPage(page);
    await studio.open('/?backend=wasm', { ...STILL, autoRead: true, maxNewTokens: 40 });
    await expect(page.getByRole('button', { name: /^WASM/ })).toBeVisible({ timeout: 180_000 });
    await expect(page.locator('[data-pane="dense"]')).toHaveAttribute('data-status', 'done', { timeout: 180_000 });
    for (const size of SIZES) {
      const [width = 0, height = 0] = size.split('x').map(Number);
      await page.setViewportSize({ width, height });
      await expect(studio.heatmap).toBeVisible();
      await inOrder(page, size, name);
      await page.evaluate(() => scrollTo(0, 0));
      await page.screenshot({ path: `${PICTURES}/${name}-${size}.png` });
      if (forcedColors === 'none') await isAccessible(page, colorScheme, size);
    }
    // What is folded away has to fit too.
    await page.setViewportSize({ width: 1280, height: 660 });
    for (const panel of [
      'Model',
      'Calibration',
      'Take away',
      'Compare',
      'Recipe',
      'History',
      'Zero-shot',
      'Recover',
    ] as const) {
      await studio.closeSheets();
      await studio.show(panel);
      await inOrder(page, '1280x660', `${name}, ${panel}`);
      await page.screenshot({ path: `${PICTURES}/${name}-${panel.toLowerCase().replace(' ', '-')}.png` });
      if (forcedColors === 'none') await isAccessible(page, colorScheme, panel);
    }
    // With a drawer open the map has no room for its legend, which the View sheet then shows.
    await page.getByRole('button', { name: 'View', exact: true }).click();
    await expect(page.getByRole('dialog', { name: 'View' })).toBeVisible();
    await inOrder(page, '1280x660', `${name}, View`);
    await page.screenshot({ path: `${PICTURES}/${name}-view.png` });
    expect(studio.problems).toEqual([]);
  });
}

/** Nothing is wider than the window, and no text is cut off. */
async function inOrder(page: Page, size: string, what: string): Promise<void> {
  // Charts follow the width a moment later.
  await expect
    .poll(() => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth), {
      message: `overflow at ${size}, ${what}`,
    })
    .toBeLessThanOrEqual(0);
  await expect
    .poll(
      () =>
        page
          .locator('[popover]:popover-open')
          .evaluateAll((sheets) =>
            sheets.map(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth).filter((hidden) => hidden > 0),
          ),
      { message: `a sheet scrolls sideways at ${size}, ${what}` },
    )
    .toEqual([]);
  await expect.poll(() => page.evaluate(clippedTexts), { message: `cut off at ${size}, ${what}` }).toEqual([]);
}

async function isAccessible(page: Page, colorScheme: 'light' | 'dark', what: string): Promise<void> {
  const axe = new AxeBuilder({ page });
  // The other theme changes colours alone: what was seen once is not looked for again.
  const { violations } = await (colorScheme === 'dark'
    ? axe.withRules(['color-contrast'])
    : axe.withTags(RULES)
  ).analyze();
  expect(
    violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`),
    what,
  ).toEqual([]);
}

test('on a phone a drawer that is opened stands at the top of the window', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  const studio = new StudioPage(page);
  await studio.open('/?backend=wasm', STILL);
  await expect(studio.heatmap).toBeVisible();
  for (const drawer of ['Recipe', 'Compare'] as const) {
    const panel = await studio.show(drawer);
    await expect.poll(async () => (await panel.boundingBox())?.y).toBeLessThan(100);
    await expect(panel.getByRole('heading', { name: drawer, exact: true })).toBeInViewport();
  }
});

test('plans and draws 30 layers of 1,536 neurons while the slider moves, and tells what a frame takes', async ({
  page,
}, testInfo) => {
  const scores = encodeScores(syntheticScores({ layers: 30, attentionGroups: 3, neurons: 1536 }));
  await page.route('**/scores.safetensors', (route) =>
    route.fulfill({ body: Buffer.from(scores), contentType: 'application/octet-stream' }),
  );
  const studio = new StudioPage(page);
  await studio.open('/?backend=wasm', STILL);
  await expect(studio.heatmap).toBeVisible();
  // Script time of a move: event, plan, React, layout effects with the canvas. Frames without a move are the browser's own.
  const times = await studio.slider.evaluate(async (element) => {
    const slider = element as HTMLInputElement;
    const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value')?.set;
    const taken: number[] = [];
    for (let move = 0; move < 140; move += 1) {
      await new Promise(requestAnimationFrame);
      const start = performance.now();
      set?.call(slider, String(0.1 + (move % 60) * 0.01));
      slider.dispatchEvent(new Event('input', { bubbles: true }));
      await Promise.resolve();
      taken.push(performance.now() - start);
    }
    return taken.slice(20).sort((a, b) => a - b);
  });
  const at = (share: number) => times[Math.floor(times.length * share)] ?? Number.NaN;
  const sentence = `slider move to drawn plan: median ${at(0.5).toFixed(1)} ms, 95th percentile ${at(0.95).toFixed(1)} ms`;
  testInfo.annotations.push({ type: 'slider move', description: sentence });
  console.log(sentence);
  await expect((await studio.show('Recipe')).getByRole('definition').nth(3)).toContainText('46.1 k');
  const shares = await studio
    .panel('Importance')
    .getByRole('img', { name: /Share removed per layer/ })
    .getAttribute('aria-label');
  expect(shares).toContain('layer 29');
});

test('works by keyboard: the map, its table, protection, undo', async ({ page }) => {
  const studio = new StudioPage(page);
  await studio.open('/?backend=wasm', STILL);
  await studio.heatmap.focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowDown');
  await expect(studio.heatmap.getByText(/^Layer 1 · attention group/)).toBeVisible();
  await page.keyboard.press('End');
  await expect(studio.heatmap.getByText(/^Layer 1 · neuron/)).toBeVisible();
  await page.keyboard.press('Enter');
  const zoom = page.getByRole('region', { name: 'Layer 1, single neurons' });
  await expect(zoom.getByRole('img', { name: /Importance of neurons of layer 1, ranks/ })).toBeVisible();
  await zoom.getByRole('button', { name: 'Close' }).press('Enter');
  await expect(zoom).toBeHidden();
  await studio.heatmap.focus();
  await page.keyboard.press('Escape');

  await page.getByRole('button', { name: 'Protect layer 0' }).press('Enter');
  await expect(await studio.show('Recipe')).toContainText('Kept whole: layer 0');
  await page.getByRole('button', { name: 'Undo' }).press('Enter');
  await expect(studio.panel('Recipe')).not.toContainText('Kept whole');

  await studio.panel('Importance').getByRole('button', { name: 'View' }).press('Enter');
  await page.getByRole('radio', { name: 'Table' }).press('Space');
  await expect(studio.panel('Importance').getByRole('table')).toBeVisible();
});

test('plans for a size as well as for a ratio, chosen before there is a plan', async ({ page }) => {
  const studio = new StudioPage(page);
  await page.route('**/scores.safetensors', async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await route.continue();
  });
  await studio.open('/?backend=wasm', STILL);
  const plan = await studio.show('Recipe');
  await plan.getByRole('combobox', { name: 'Target' }).selectOption('Size');
  await plan.getByRole('spinbutton', { name: /At most/ }).fill('7');
  await expect(plan.getByRole('definition').filter({ hasText: '7.0 MB' })).toBeVisible();
  await plan.getByRole('spinbutton', { name: /At most/ }).fill('0.5');
  await expect(studio.panel('Outcome').getByRole('alert')).toContainText(/Ask for less|out of reach|only/);
});

test('opens a model from files, reads it, scores it and plans', async ({ page }) => {
  const studio = new StudioPage(page);
  await studio.open('/?backend=wasm', { ...STILL, autoRead: true });
  const model = await studio.show('Model');
  await expect(model.getByText('apache-2.0')).toBeVisible({ timeout: 180_000 });
  await model.getByText('Open another model').click();
  await model.getByLabel('choose a folder').setInputFiles('public/models/stories');
  await expect(model).toContainText('Read from your files');
  await studio.closeSheets();
  await expect(studio.panel('Importance')).toContainText('No scores yet');
  await expect(page.locator('[data-pane="dense"]')).toHaveAttribute('data-status', 'done', { timeout: 180_000 });
  await studio.panel('Importance').getByRole('button', { name: 'Let it write a text, and score on that' }).click();
  await expect(studio.heatmap).toBeVisible({ timeout: 180_000 });
  await expect(studio.panel('Outcome')).toContainText('20%');
  await (await studio.show('Model')).getByText('Open another model').click();
  await studio.panel('Model').getByRole('button', { name: 'Back to stories' }).click();
  await studio.closeSheets();
  await expect(await studio.show('Calibration')).toContainText('Precomputed');
  expect(studio.problems).toEqual([]);
});

test('carries a recipe in a link and remembers choices over a reload', async ({ page }) => {
  const studio = new StudioPage(page);
  await studio.open(
    `/?backend=wasm#recipe=${encodeURIComponent(JSON.stringify({ target: { kind: 'ratio', value: 0.35 }, search: 'global', protect: [1] }))}`,
    STILL,
  );
  await expect(studio.panel('Outcome')).toContainText('35%');
  await expect((await studio.show('Recipe')).getByRole('combobox', { name: 'Search' })).toHaveValue('global');
  await expect(studio.panel('Recipe')).toContainText('Kept whole: layer 1');
  await page.goto('/?backend=wasm');
  await expect(studio.panel('Outcome')).toContainText('35%');
});

test('without WebGPU it says which check failed and computes on WebAssembly', async ({ page }) => {
  await page.addInitScript(() => Object.defineProperty(Navigator.prototype, 'gpu', { get: () => undefined }));
  await page.route(/engine-worker.*\.js/, async (route) => {
    const response = await route.fetch();
    const hidden = "Object.defineProperty(Object.getPrototypeOf(navigator), 'gpu', { get: () => undefined });\n";
    await route.fulfill({ response, body: hidden + (await response.text()) });
  });
  const studio = new StudioPage(page);
  await studio.open('/', { ...STILL, maxNewTokens: 2 });
  const chip = page.getByRole('button', { name: /^WASM/ });
  await expect(chip).toBeVisible({ timeout: 180_000 });
  await chip.click();
  await expect(page.getByRole('dialog', { name: 'Engine' })).toContainText('WebGPU cannot be used here.');
  await expect(page.getByRole('listitem').filter({ hasText: ': no' }).first()).toBeVisible();
  await studio.closeSheets();
  await studio.panel('Read').getByRole('button', { name: 'Write' }).click({ timeout: 180_000 });
  await expect(page.locator('[data-pane="pruned"]')).toHaveAttribute('data-status', 'done', { timeout: 180_000 });
});

test('says what is wrong, and goes on with what works', async ({ page }) => {
  await page.route('**/*.wasm', (route) => route.abort());
  const studio = new StudioPage(page);
  await studio.open('/?backend=wasm', STILL);
  await expect(studio.heatmap).toBeVisible();
  await expect(page.getByRole('button', { name: /^No engine/ })).toBeVisible({ timeout: 180_000 });
  await expect(page.getByRole('alert').first()).toBeVisible();
  await studio.setRatio(40);
  await expect(studio.panel('Outcome')).toContainText('40%');

  await page.unroute('**/*.wasm');
  await page.route('**/scores.safetensors', (route) => route.fulfill({ status: 404, body: '' }));
  await page.reload();
  await expect(studio.panel('Importance').getByRole('alert')).toContainText('scores.safetensors');
  await expect(studio.panel('Importance')).toContainText('No scores yet');
});
