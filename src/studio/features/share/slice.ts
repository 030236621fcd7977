import type { StateCreator } from 'zustand';
import type { RecipeChoices, RecipeSlice } from '../plan/slice.ts';
import type { SharedLink } from './share.ts';

/** A link that was opened: what it holds, the reader's own recipe before, and which of the two is on the bench. */
export interface OpenedLink {
  readonly link: SharedLink;
  readonly mine: RecipeChoices;
  readonly theirs: RecipeChoices;
  readonly shown: 'theirs' | 'mine';
}

export interface ShareSlice {
  readonly openedLink: OpenedLink | undefined;
  /** Puts the recipe of a link on the bench; the reader's own is remembered. */
  openLink(link: SharedLink): void;
  showRecipe(whose: OpenedLink['shown']): void;
  closeLink(): void;
}

export const createShareSlice: StateCreator<ShareSlice & RecipeSlice, [], [], ShareSlice> = (set, get) => ({
  openedLink: undefined,
  openLink(link) {
    const mine = get().openedLink?.mine ?? get().recipe;
    if (Object.keys(link.choices).length > 0) get().changeRecipe(link.choices);
    set({ openedLink: { link, mine, theirs: get().recipe, shown: 'theirs' } });
  },
  showRecipe(shown) {
    const opened = get().openedLink;
    if (!opened) return;
    const absent = Object.keys(get().recipe).filter((field) => !Object.hasOwn(opened[shown], field));
    // A step of undo of its own, however soon after the one before.
    set({ lastChange: undefined });
    get().changeRecipe({ ...Object.fromEntries(absent.map((field) => [field, undefined])), ...opened[shown] });
    set({ openedLink: { ...opened, shown } });
  },
  closeLink: () => set({ openedLink: undefined }),
});
