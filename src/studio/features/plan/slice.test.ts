import { describe, expect, it } from 'vitest';
import { createStore } from 'zustand/vanilla';
import { syntheticScores } from '../../../importance/testing/synthetic-scores.ts';
import { makePlan } from '../../../plan/make-plan.ts';
import { givenOutcome } from './plan-outcome.ts';
import { createRecipeSlice, INITIAL_RECIPE } from './slice.ts';

const slice = () => createStore(createRecipeSlice);

describe('the recipe slice', () => {
  it('undoes and redoes a change', () => {
    const store = slice();
    store.getState().changeRecipe({ search: 'global' }, 0);
    store.getState().undo();
    expect(store.getState().recipe).toEqual(INITIAL_RECIPE);
    store.getState().redo();
    expect(store.getState().recipe.search).toBe('global');
  });

  it('takes a slider drag as one step', () => {
    const store = slice();
    for (let step = 0; step < 20; step += 1)
      store.getState().changeRecipe({ target: { kind: 'ratio', value: step / 40 } }, step * 16);
    expect(store.getState().past).toHaveLength(1);
    store.getState().undo();
    expect(store.getState().recipe.target).toEqual(INITIAL_RECIPE.target);
  });

  it('keeps two fields changed at the same time as two steps', () => {
    const store = slice();
    store.getState().changeRecipe({ search: 'global' }, 0);
    store.getState().changeRecipe({ metric: 'fisher' }, 1);
    expect(store.getState().past).toHaveLength(2);
  });

  it('protects and frees layers, in order', () => {
    const store = slice();
    for (const layer of [3, 1, 3, 0]) store.getState().toggleProtected(layer);
    expect(store.getState().recipe.protect).toEqual([0, 1]);
  });

  it('calls a recipe measured only as long as the same groups stay', () => {
    const store = slice();
    const found = { gamma: 0.4, balance: { attention: 2 }, measured: { loss: 1.2, evaluations: 30 } };
    store.getState().changeRecipe(found);
    store.getState().changeRecipe({ dtype: 'q8' });
    store.getState().changeRecipe({ compensate: 'bias' });
    expect(store.getState().recipe).toMatchObject(found);
    store.getState().setRatio(0.3);
    expect(store.getState().recipe).not.toHaveProperty('measured');
    expect(store.getState().recipe).toMatchObject({ gamma: 0.4, balance: { attention: 2 } });
  });

  it('drops a balance with a search that takes none, and a field that goes back to its default', () => {
    const store = slice();
    store.getState().changeRecipe({ balance: { depth: 1 }, roundTo: 8 });
    store.getState().changeRecipe({ search: 'uniform', roundTo: undefined });
    expect(store.getState().recipe).not.toHaveProperty('balance');
    expect(store.getState().recipe.roundTo).toBe(4);
    store.getState().changeRecipe({ roundTo: 1 });
    expect(store.getState().recipe.roundTo).toBe(1);
  });

  it('keeps a plan that was given until other groups are asked for', () => {
    const store = slice();
    const scores = syntheticScores({ layers: 3, attentionGroups: 4, neurons: 64 });
    const plan = makePlan(scores, { ...INITIAL_RECIPE, target: { kind: 'ratio', value: 0.4 }, search: 'global' });
    store.getState().adoptPlan(plan, scores.model.sha256, 'plan.json');
    const stands = () => store.getState().given?.of === store.getState().recipe;
    expect(store.getState().recipe).toMatchObject({ search: 'global', target: { value: plan.ratio } });
    store.getState().changeRecipe({ compensate: 'bias' });
    expect(stands()).toBe(true);
    const sized = { ...plan, recipe: { ...plan.recipe, target: { kind: 'bytes', value: 5e5 } as const } };
    const given = givenOutcome(scores, sized, store.getState().recipe, 'q8');
    expect(given).toMatchObject({
      ok: true,
      plan: {
        layers: plan.layers,
        recipe: { dtype: 'q8', compensate: 'bias', target: { kind: 'ratio', value: plan.ratio } },
      },
    });
    store.getState().setRatio(0.3);
    expect(stands()).toBe(false);
    store.getState().undo();
    expect(stands()).toBe(true);
    const other = syntheticScores({ layers: 2, attentionGroups: 4, neurons: 64 });
    expect(givenOutcome(other, plan, INITIAL_RECIPE, 'f32')).toMatchObject({
      ok: false,
      message: expect.stringContaining('3 layers'),
    });
  });

  it('has nothing to undo at the start', () => {
    const store = slice();
    store.getState().undo();
    store.getState().redo();
    expect(store.getState().recipe).toEqual(INITIAL_RECIPE);
  });
});
