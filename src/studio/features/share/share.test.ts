import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { INITIAL_RECIPE } from '../plan/slice.ts';
import { recipeFromFragment, shareLink } from './share.ts';

describe('share links', () => {
  it('carry the whole recipe in the fragment only', () => {
    const recipe = {
      ...INITIAL_RECIPE,
      protect: [0, 5],
      search: 'global',
      target: { kind: 'memory', value: 9e6, context: 256 },
      compensate: 'bias',
      balance: { attention: 2, depth: -0.5 },
    } as const;
    const link = new URL(shareLink('https://example.org/studio/?backend=wasm#plan', recipe));
    expect(`${link.origin}${link.pathname}${link.search}`).toBe('https://example.org/studio/?backend=wasm');
    expect(recipeFromFragment(link.hash)).toEqual(recipe);
  });

  it('drop what is unknown or of a wrong kind', () => {
    const fragment = `#recipe=${encodeURIComponent(JSON.stringify({ metric: 7, search: 'global', evil: '<script>', target: { kind: 'ratio', value: 'much' } }))}`;
    expect(recipeFromFragment(fragment)).toEqual({ search: 'global' });
  });

  it('never throw, whatever the fragment says', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        recipeFromFragment(`#recipe=${text}`);
        expect(recipeFromFragment(text.startsWith('#recipe=') ? '' : text)).toBeUndefined();
      }),
    );
  });
});
