import type { StateCreator } from 'zustand';

/** What the lower edge opens. */
export const DRAWERS = ['compare', 'recipe', 'history', 'zero-shot', 'recovery'] as const;
export type DrawerName = (typeof DRAWERS)[number];

/** What the chips of the upper edge open. */
export type SheetName = 'model' | 'calibration' | 'take-away';

/** Shares of the window's height that the drawer may take. */
export const DRAWER_BOUNDS = { smallest: 0.2, usual: 0.45, largest: 0.8 } as const;

/** How the bench is laid out: what is open beside it, and how large. */
export interface BenchSlice {
  /** The drawer that is open; null for none, undefined while the reader has not chosen: then the window's height decides. */
  readonly drawer: DrawerName | null | undefined;
  /** Share of the window's height. */
  readonly drawerShare: number;
  readonly sheet: SheetName | undefined;
  /** Lines of other methods on the perplexity curve. */
  readonly curveMethods: boolean;
  /** Dense and pruned in large type, for a room. */
  readonly presenting: boolean;
  /** The page that measures this device is open. */
  readonly deviceOpen: boolean;
  /** The step of the tour that is shown; undefined when it is not. */
  readonly tourStep: number | undefined;
  /** The tour was ended or skipped: it does not begin by itself again. */
  readonly tourSeen: boolean;
  setBench(patch: Partial<Omit<BenchSlice, 'setBench'>>): void;
}

export const createBenchSlice: StateCreator<BenchSlice> = (set) => ({
  drawer: undefined,
  drawerShare: DRAWER_BOUNDS.usual,
  sheet: undefined,
  curveMethods: false,
  presenting: false,
  deviceOpen: false,
  tourStep: undefined,
  tourSeen: false,
  setBench: (patch) => set(patch),
});

/** A share of the window's height that a drawer may have. */
export function drawerShareWithin(share: number): number {
  return Math.min(DRAWER_BOUNDS.largest, Math.max(DRAWER_BOUNDS.smallest, share));
}
