import { createStore, del, get, set, type UseStore, update } from 'idb-keyval';

let store: UseStore | undefined;

/** A few large values that outlive a reload, by name, in IndexedDB. Where the browser offers none (private windows), or its disk is full, nothing is kept and nothing fails. */
async function within<Result>(work: (store: UseStore) => Promise<Result>): Promise<Result | undefined> {
  try {
    store ??= createStore('espalier-studio', 'kept');
    return await work(store);
  } catch {
    // What could not be opened is tried anew the next time.
    store = undefined;
    return undefined;
  }
}

/** Keeps a value (structured clone) under a name; `undefined` forgets it. */
export async function keep(name: string, value: unknown): Promise<void> {
  await within((kept) => (value === undefined ? del(name, kept) : set(name, value, kept)));
}

/** Keeps what `change` makes of the value that is kept, in one step: what another tab keeps at the same time is not lost. */
export async function keptChanged(name: string, change: (value: unknown) => unknown): Promise<void> {
  await within((kept) => update(name, change, kept));
}

/** What was kept under a name, as unknown: it may come from an older version of the page. */
export function kept(name: string): Promise<unknown> {
  return within((from) => get(name, from));
}
