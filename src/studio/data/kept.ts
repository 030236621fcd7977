const DATABASE = 'espalier-studio';
const STORE = 'kept';

/** A few large values that outlive a reload, by name, in IndexedDB. Where the browser offers none (private windows), nothing is kept and nothing fails. */
function open(): Promise<IDBDatabase | undefined> {
  return new Promise((resolve) => {
    if (!globalThis.indexedDB) return resolve(undefined);
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => resolve(undefined);
    request.onblocked = () => resolve(undefined);
  });
}

/** Keeps a value (structured clone) under a name; `undefined` forgets it. */
export function keep(name: string, value: unknown): Promise<void> {
  return keptChanged(name, () => value);
}

/** Keeps what `change` makes of the value that is kept, in one step: what another tab keeps at the same time is not lost. */
export async function keptChanged(name: string, change: (value: unknown) => unknown): Promise<void> {
  const database = await open();
  if (!database) return;
  await new Promise<void>((resolve) => {
    const transaction = database.transaction(STORE, 'readwrite');
    const store = transaction.objectStore(STORE);
    const reading = store.get(name);
    reading.onsuccess = () => {
      const value = change(reading.result);
      if (value === undefined) store.delete(name);
      else store.put(value, name);
    };
    transaction.oncomplete = () => resolve();
    // A full disk costs the reader a reload's memory, not the page.
    transaction.onerror = () => resolve();
    transaction.onabort = () => resolve();
  });
  database.close();
}

/** What was kept under a name, as unknown: it may come from an older version of the page. */
export async function kept(name: string): Promise<unknown> {
  const database = await open();
  if (!database) return undefined;
  const value = await new Promise<unknown>((resolve) => {
    const request = database.transaction(STORE).objectStore(STORE).get(name);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => resolve(undefined);
  });
  database.close();
  return value;
}
