import { expect, it } from 'vitest';
import { SCORE_METHODS } from '../../../plan/methods/methods.ts';
import { DEFAULT_RECIPE, type RecipeChoices } from '../../../plan/recipe.ts';
import { recipeLabel } from './recipe-label.ts';

const recipe = (choices: Partial<RecipeChoices>): RecipeChoices => ({
  ...DEFAULT_RECIPE,
  target: { kind: 'ratio', value: 0.2 },
  ...choices,
});

it.each<[string, Partial<RecipeChoices>]>([
  ['saap', {}],
  ['saap + bias', { compensate: 'bias' }],
  ['saap + least squares', { compensate: 'least-squares' }],
  ['saap, tuned', { gamma: 0.3 }],
  ['taylor, tempered', { metric: 'taylor' }],
])('is "%s"', (label, choices) => {
  expect(recipeLabel(recipe(choices))).toBe(label);
});

it('is the name of every method that plans from scores', () => {
  for (const { name, metric, search } of SCORE_METHODS) expect(recipeLabel(recipe({ metric, search }))).toBe(name);
});
