import { methodNamed } from '../../../plan/methods/methods.ts';
import type { RecipeChoices } from '../../../plan/recipe.ts';
import { recipeWords } from '../../../plan/recipe-words.ts';

/** A recipe in a few words, without its target: 'saap + bias, refined, 2 layers whole'. */
export function recipeLabel(recipe: RecipeChoices): string {
  const { metric, search, compensate = 'none' } = recipe;
  const words = recipeWords(recipe);
  const named = methodNamed(recipe);
  const method =
    named?.name ?? (words.includes('refined') || words.includes('tuned') ? 'saap' : `${metric}, ${search}`);
  const repair = compensate === 'none' ? '' : ` + ${compensate === 'bias' ? 'bias' : 'least squares'}`;
  return [`${method}${repair}`, ...words].join(', ');
}
