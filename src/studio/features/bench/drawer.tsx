import { type KeyboardEvent, type PointerEvent, type RefObject, useEffect, useRef } from 'react';
import { Guarded } from '../../parts/guarded.tsx';
import { useStudio } from '../../store.ts';
import { ComparePanel } from '../compare/panel.tsx';
import { RunsPanel } from '../history/panel.tsx';
import { RecipePanel } from '../plan/panel.tsx';
import { RecoveryPanel } from '../recovery/panel.tsx';
import { TasksPanel } from '../tasks/panel.tsx';
import { DRAWER_BOUNDS, type DrawerName, drawerShareWithin } from './slice.ts';
import { useDrawer } from './use-drawer.ts';
import { FLOWING, useMedia } from './use-media.ts';

const PANELS: Readonly<Record<DrawerName, () => React.ReactNode>> = {
  compare: ComparePanel,
  recipe: RecipePanel,
  history: RunsPanel,
  'zero-shot': TasksPanel,
  recovery: RecoveryPanel,
};

/** What the lower edge opened, in a part of the window that can be drawn larger. */
export function Drawer() {
  const { drawer, close } = useDrawer();
  const element = useRef<HTMLDivElement>(null);
  useInView(element, drawer);
  if (!drawer) return null;
  const Content = PANELS[drawer];
  return (
    <div ref={element} className="drawer" id="drawer" data-drawer={drawer}>
      <DrawerEdge />
      <button type="button" className="icon drawer-close" aria-label="Close the drawer" onClick={close}>
        <span aria-hidden="true">✕</span>
      </button>
      <div className="drawer-content">
        <Guarded key={drawer} name="This drawer">
          <Content />
        </Guarded>
      </div>
    </div>
  );
}

/** Where the page flows, a drawer that is opened would begin below the window's edge: it is scrolled to its top. One that the page opens with stays. */
function useInView(element: RefObject<HTMLElement | null>, drawer: DrawerName | undefined): void {
  const isFlowing = useMedia(FLOWING);
  const before = useRef(drawer);
  useEffect(() => {
    if (isFlowing && drawer !== before.current) element.current?.scrollIntoView({ block: 'start' });
    before.current = drawer;
  }, [element, drawer, isFlowing]);
}

/** The edge that is drawn up and down, by hand or with the arrow keys. */
function DrawerEdge() {
  const share = useStudio((state) => state.drawerShare);
  const setBench = useStudio((state) => state.setBench);
  const from = useRef<{ readonly y: number; readonly share: number }>(undefined);
  const set = (next: number) => setBench({ drawerShare: drawerShareWithin(next) });
  const onPointerDown = (event: PointerEvent<HTMLElement>) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    from.current = { y: event.clientY, share };
  };
  const onPointerMove = (event: PointerEvent) => {
    if (from.current && event.buttons === 1)
      set(from.current.share + (from.current.y - event.clientY) / globalThis.innerHeight);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowUp: 0.05, ArrowDown: -0.05 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    set(share + step);
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a separator that is drawn takes the focus; a rule does not.
    <div
      className="drawer-edge"
      role="separator"
      aria-orientation="horizontal"
      aria-label="Height of the drawer"
      aria-valuenow={Math.round(share * 100)}
      aria-valuemin={DRAWER_BOUNDS.smallest * 100}
      aria-valuemax={DRAWER_BOUNDS.largest * 100}
      tabIndex={0}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onPointerUp={() => {
        from.current = undefined;
      }}
      onKeyDown={onKeyDown}
      onDoubleClick={() => set(DRAWER_BOUNDS.usual)}
    />
  );
}
