import { useSyncExternalStore } from 'react';

/** Narrow or low windows, where the bench flows instead of standing whole; the same as in styles/layout.css. */
export const FLOWING = '(max-width: 61.99rem), (max-height: 31.99rem)';
/** From this size on a drawer leaves the bench whole, so that one is open from the start. */
export const TALL = '(min-height: 62rem) and (min-width: 90rem)';

/** Whether a media query holds; follows it. */
export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (notify) => {
      const list = globalThis.matchMedia(query);
      list.addEventListener('change', notify);
      return () => list.removeEventListener('change', notify);
    },
    () => globalThis.matchMedia(query).matches,
  );
}
