import { useEffect, useSyncExternalStore } from 'react';
import type { Theme } from '../../charts/heat-scale.ts';
import { useStudio } from '../../store.ts';

const dark = () => globalThis.matchMedia('(prefers-color-scheme: dark)');

function subscribe(notify: () => void): () => void {
  const query = dark();
  query.addEventListener('change', notify);
  return () => query.removeEventListener('change', notify);
}

/** The theme that is on: the reader's choice, or the system's. */
export function useTheme(): Theme {
  const choice = useStudio((state) => state.themeChoice);
  const system = useSyncExternalStore(subscribe, () => (dark().matches ? 'dark' : 'light'));
  return choice === 'system' ? system : choice;
}

/** Puts the theme on the document, where the styles look for it. */
export function useThemeOnDocument(): void {
  const theme = useTheme();
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
}
