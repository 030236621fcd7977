import { type Browser, expect, test } from '@playwright/test';
import { StudioPage } from './studio-page.ts';

const LOADS = 5;
const MEASURED = 240_000;

interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

test('five fresh loads give speeds whose intervals overlap', async ({ browser }) => {
  test.setTimeout(LOADS * MEASURED);
  const loads: { readonly decode: Estimate; readonly prefill: Estimate }[] = [];
  for (let load = 0; load < LOADS; load += 1) loads.push(await measuredSpeed(browser));
  for (const what of ['decode', 'prefill'] as const) {
    const intervals = loads.map(({ [what]: estimate }) => estimate);
    console.log(
      `${what} over dense: ${intervals.map(({ value, low, high }) => `${value.toFixed(3)} (${low.toFixed(3)}–${high.toFixed(3)})`).join(', ')}`,
    );
    const [highestLow, lowestHigh] = [
      Math.max(...intervals.map(({ low }) => low)),
      Math.min(...intervals.map(({ high }) => high)),
    ];
    expect.soft(highestLow, `all five intervals of ${what} share a value`).toBeLessThanOrEqual(lowestHigh);
  }
});

/** Opens the studio as a new visitor, waits for the first measured speed, and reads it where the page keeps what it measured. */
async function measuredSpeed(browser: Browser) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await new StudioPage(page).open('/?backend=wasm', { autoMeasure: true, measureWindows: 2, measureLength: 64 });
  const read = () => page.evaluate(keptSpeed);
  await expect.poll(async () => (await read()) !== undefined, { timeout: MEASURED }).toBe(true);
  const speed = await read();
  await context.close();
  if (!speed) throw new Error('No speed was measured.');
  return speed;
}

/** Runs in the page. Opening a database that is not there yet would make it, and the page's own would lack its stores. */
async function keptSpeed(): Promise<{ readonly decode: Estimate; readonly prefill: Estimate } | undefined> {
  const name = 'espalier-studio';
  if (!(await indexedDB.databases()).some((database) => database.name === name)) return undefined;
  const result = <Value>(request: IDBRequest<Value>) =>
    new Promise<Value>((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const database = await result(indexedDB.open(name));
  const entries: [string[], never][] | undefined = await result(
    database.transaction('kept').objectStore('kept').get('measured'),
  );
  database.close();
  return entries?.find(([key]) => key[1] === 'speed')?.[1];
}
