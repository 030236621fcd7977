import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createStore } from 'zustand/vanilla';
import { createRecipeSlice, INITIAL_RECIPE, type RecipeSlice } from '../plan/slice.ts';
import { linkFromFragment, shareLink } from './share.ts';
import { createShareSlice, type ShareSlice } from './slice.ts';

const fragment = (recipe: unknown, rest = '') => `#recipe=${encodeURIComponent(JSON.stringify(recipe))}${rest}`;

describe('share links', () => {
  it('carry the whole recipe and the model in the fragment only', () => {
    const recipe = {
      ...INITIAL_RECIPE,
      protect: [0, 5],
      search: 'global',
      target: { kind: 'memory', value: 9e6, context: 256 },
      compensate: 'bias',
      balance: { attention: 2, depth: -0.5 },
    } as const;
    const link = new URL(
      shareLink('https://example.org/studio/?backend=wasm#plan', recipe, { kind: 'hub', name: 'org/name@main' }),
    );
    expect(`${link.origin}${link.pathname}${link.search}`).toBe('https://example.org/studio/?backend=wasm');
    const model = { kind: 'hub', name: 'org/name@main' };
    expect(linkFromFragment(link.hash)).toEqual({ choices: recipe, refused: [], model });
  });

  it('of files carry the name alone', () => {
    const link = shareLink('https://example.org/', INITIAL_RECIPE, { kind: 'files', key: 3, name: 'my model & co' });
    expect(linkFromFragment(new URL(link).hash)?.model).toEqual({ kind: 'files', name: 'my model & co' });
  });

  it('from before there were models in them are read', () => {
    expect(linkFromFragment(fragment({ metric: 'element-second+fisher' }))).toEqual({
      ...{ choices: { metric: 'element-second+fisher' }, refused: [], model: undefined },
    });
  });

  it('drop what is unknown or wrong, with a sentence for what was meant', () => {
    const recipe = { metric: 'loudness', search: 'global', evil: '<script>', target: { kind: 'ratio', value: 'much' } };
    const link = linkFromFragment(fragment(recipe, '&model=ftp:x'));
    expect(link?.choices).toEqual({ search: 'global' });
    expect(link?.refused).toHaveLength(2);
    expect(link?.model).toBeUndefined();
  });

  it('say so when they are damaged', () => {
    expect(linkFromFragment('#recipe=%7B%22metric')).toEqual({
      ...{ choices: {}, refused: ['It was cut off or damaged on the way.'], model: undefined },
    });
  });

  it('never throw, whatever the fragment says', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        linkFromFragment(`#recipe=${text}`);
        expect(linkFromFragment(text.startsWith('#recipe=') ? '' : text)).toBeUndefined();
      }),
    );
  });
});

describe('an opened link', () => {
  const bench = () =>
    createStore<ShareSlice & RecipeSlice>()((...use) => ({
      ...createRecipeSlice(...use),
      ...createShareSlice(...use),
    }));
  const link = {
    choices: { metric: 'fisher', gamma: 0.5, seed: 5 },
    refused: [],
    model: { kind: 'embedded', name: 'stories' },
  } as const;

  it('shows their recipe, gives mine back, and theirs again', () => {
    const store = bench();
    store.getState().changeRecipe({ seed: 2 });
    store.getState().openLink(link);
    expect(store.getState().recipe).toMatchObject({ metric: 'fisher', seed: 5 });
    store.getState().showRecipe('mine');
    expect(store.getState().recipe).toEqual({ ...INITIAL_RECIPE, seed: 2 });
    store.getState().showRecipe('theirs');
    expect(store.getState().recipe.seed).toBe(5);
    store.getState().undo();
    expect(store.getState().recipe.seed).toBe(2);
  });

  it('without a recipe leaves mine alone', () => {
    const store = bench();
    store.getState().openLink({ ...link, choices: {}, refused: ['It was cut off or damaged on the way.'] });
    expect(store.getState().recipe).toEqual(INITIAL_RECIPE);
    expect(store.getState().past).toEqual([]);
  });

  it('remembers mine, not the link before, when another is opened', () => {
    const store = bench();
    store.getState().openLink(link);
    store.getState().openLink({ ...link, choices: { seed: 9 } });
    store.getState().showRecipe('mine');
    expect(store.getState().recipe).toEqual(INITIAL_RECIPE);
  });
});
