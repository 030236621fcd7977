import type { PersistStorage, StorageValue } from 'zustand/middleware';

/** Changes are written when there was none for this long: a slider's moves write once, not sixty times a second. */
const REST_MILLISECONDS = 300;

/** Keeps the state in a storage such as `localStorage` (asked for at use: browsers may forbid it), written at rest and when the page goes away. A storage that refuses costs the reader a reload's memory, not the page. */
export function restedStorage<State>(
  storage: () => Storage,
  events: Partial<Pick<Window, 'addEventListener'>> = globalThis,
): PersistStorage<State> {
  let pending: { readonly name: string; readonly value: StorageValue<State> } | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const write = () => {
    clearTimeout(timer);
    if (!pending) return;
    const { name, value } = pending;
    pending = undefined;
    try {
      storage().setItem(name, JSON.stringify(value));
    } catch {
      // Full, or forbidden: the choices hold for this visit.
    }
  };
  events.addEventListener?.('pagehide', write);
  return {
    getItem(name) {
      try {
        const text = storage().getItem(name);
        return text === null ? null : (JSON.parse(text) as StorageValue<State>);
      } catch {
        return null;
      }
    },
    setItem(name, value) {
      pending = { name, value };
      clearTimeout(timer);
      timer = setTimeout(write, REST_MILLISECONDS);
    },
    removeItem: (name) => storage().removeItem(name),
  };
}
