import { useStudio } from '../../store.ts';
import { linkFromFragment } from './share.ts';

/** Opens the link in the page's address, where there is one, and takes it out of the address: a reload keeps what the reader made of it. */
export function openSharedLink(): void {
  const { hash, pathname, search } = globalThis.location;
  const link = linkFromFragment(hash);
  if (!link) return;
  globalThis.history.replaceState(null, '', `${pathname}${search}`);
  useStudio.getState().openLink(link);
}
