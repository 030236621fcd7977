import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkedRecipe, keptRecipe } from './checked-recipe.ts';
import { INITIAL_RECIPE } from './slice.ts';

describe('checkedRecipe', () => {
  it('takes what can be planned with as it is', () => {
    const recipe = {
      metric: 'element-first+0.5*fisher',
      search: 'global',
      target: { kind: 'ratio', value: 0.3 },
      seed: 4,
    };
    expect(checkedRecipe(recipe)).toEqual({ choices: recipe, refused: [] });
  });

  it('leaves out names that are not there and fields that are damaged, and says so of each', () => {
    const { choices, refused } = checkedRecipe({
      metric: 'loudness',
      search: 'measured',
      fusion: 'loose',
      seed: 3,
      colour: 'red',
    });
    expect(choices).toEqual({ seed: 3 });
    expect(refused).toHaveLength(3);
    expect(refused.join(' ')).toMatch(/"loudness".*no metric/);
    expect(refused.join(' ')).toMatch(/fusion is "loose"/);
  });

  it('never throws, and never lets inherited names through', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const { choices } = checkedRecipe(value);
        expect(checkedRecipe(choices).refused).toEqual([]);
      }),
    );
    expect(checkedRecipe(JSON.parse('{"__proto__": {"seed": 1}, "constructor": 2, "toString": 3}')).choices).toEqual(
      {},
    );
  });
});

describe('keptRecipe', () => {
  it('brings back a recipe as it was left, with what was found by measuring', () => {
    const recipe = { ...INITIAL_RECIPE, gamma: 0.4, measured: { loss: 2.5, evaluations: 20 } };
    expect(keptRecipe(structuredClone(recipe), INITIAL_RECIPE)).toEqual(recipe);
  });

  it('puts the first recipe in the place of leftovers', () => {
    expect(keptRecipe('leftovers', INITIAL_RECIPE)).toEqual(INITIAL_RECIPE);
    expect(keptRecipe({ ...INITIAL_RECIPE, metric: 'loudness', measured: 'yes' }, INITIAL_RECIPE)).not.toHaveProperty(
      'measured',
    );
  });
});
