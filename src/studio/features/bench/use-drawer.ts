import { useStudioFields } from '../../store.ts';
import type { DrawerName } from './slice.ts';
import { TALL, useMedia } from './use-media.ts';

/** The drawer that is open, and how to open and close. What the reader chose is remembered; until then a tall window opens Compare. */
export function useDrawer() {
  const { drawer, drawerShare, setBench } = useStudioFields('drawer', 'drawerShare', 'setBench');
  const isTall = useMedia(TALL);
  const open = drawer === undefined ? (isTall ? 'compare' : undefined) : (drawer ?? undefined);
  return {
    drawer: open,
    share: drawerShare,
    toggle: (name: DrawerName) => setBench({ drawer: open === name ? null : name }),
    close: () => setBench({ drawer: null }),
  };
}
