import { type Browser, expect, test } from '@playwright/test';
import { type KeptMeasurements, keptMeasurement } from './kept-measurement.ts';
import { StudioPage } from './studio-page.ts';

/** `LOADS=5 npx playwright test studio-speed` holds five loads against each other, on a machine that does nothing else; speed is measured there, not tested. */
const LOADS = Number(process.env.LOADS ?? 1);
const HELD_AGAINST_EACH_OTHER = 5;
const MEASURED = 240_000;

test('a fresh load measures decode and prefill with intervals', async ({ browser }) => {
  test.setTimeout(LOADS * MEASURED);
  const loads: KeptMeasurements['speed'][] = [];
  for (let load = 0; load < LOADS; load += 1) loads.push(await measuredSpeed(browser));
  for (const what of ['decode', 'prefill'] as const) {
    const intervals = loads.map(({ [what]: estimate }) => estimate);
    console.log(
      `${what} over dense: ${intervals.map(({ value, low, high }) => `${value.toFixed(3)} (${low.toFixed(3)}–${high.toFixed(3)})`).join(', ')}`,
    );
    for (const { value, low, high } of intervals) {
      expect(low).toBeGreaterThan(0);
      expect(value).toBeGreaterThanOrEqual(low);
      expect(high).toBeGreaterThanOrEqual(value);
    }
    if (LOADS < HELD_AGAINST_EACH_OTHER) continue;
    const [highestLow, lowestHigh] = [
      Math.max(...intervals.map(({ low }) => low)),
      Math.min(...intervals.map(({ high }) => high)),
    ];
    expect.soft(highestLow, `all intervals of ${what} share a value`).toBeLessThanOrEqual(lowestHigh);
  }
});

/** Opens the studio as a new visitor, and waits for the first measured speed. */
async function measuredSpeed(browser: Browser) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await new StudioPage(page).open('/?backend=wasm', { autoMeasure: true, measureWindows: 2, measureLength: 64 });
  const speed = await keptMeasurement(page, 'speed', MEASURED);
  await context.close();
  return speed;
}
