import { expect, type Page } from '@playwright/test';

export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export interface KeptMeasurements {
  readonly speed: {
    readonly decode: Estimate;
    readonly prefill: Estimate;
    readonly rounds: number;
    readonly seconds: number;
  };
  readonly perplexity: { readonly perplexity: number };
}

/** Waits until the page has measured something by itself, and reads it where the page keeps it: whatever the page looks like, engine, runtime, model and texts have worked. */
export async function keptMeasurement<What extends keyof KeptMeasurements>(
  page: Page,
  what: What,
  timeout: number,
): Promise<KeptMeasurements[What]> {
  let kept: object | undefined;
  const look = async () => {
    // A page that loads a second time, to be isolated, cannot answer meanwhile.
    kept = await page.evaluate(readKept, what).catch((error: Error) => {
      if (/context was destroyed|navigation/.test(error.message)) return undefined;
      throw error;
    });
    return kept !== undefined;
  };
  await expect.poll(look, { timeout }).toBe(true);
  return kept as unknown as KeptMeasurements[What];
}

/** Runs in the page. Opening a database that is not there yet would make it, and the page's own would lack its stores. */
export async function readKept(what: string): Promise<object | undefined> {
  const name = 'espalier-studio';
  if (!(await indexedDB.databases()).some((database) => database.name === name)) return undefined;
  const result = <Value>(request: IDBRequest<Value>) =>
    new Promise<Value>((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const database = await result(indexedDB.open(name));
  const entries: [string[], object][] | undefined = await result(
    database.transaction('kept').objectStore('kept').get('measured'),
  );
  database.close();
  return entries?.find(([key]) => key[1] === what)?.[1];
}
