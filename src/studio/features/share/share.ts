import { choicesOf, parseChoices, type RecipeChoices } from '../../../plan/recipe.ts';

const PREFIX = '#recipe=';

/** The address of this page with the recipe in its fragment; the fragment never leaves the browser. */
export function shareLink(address: string, recipe: RecipeChoices): string {
  const url = new URL(address);
  url.hash = `${PREFIX}${encodeURIComponent(JSON.stringify(choicesOf(recipe)))}`;
  return url.href;
}

/** The recipe in a fragment; undefined when there is none or it is damaged. Unknown fields are left out. */
export function recipeFromFragment(fragment: string): Partial<RecipeChoices> | undefined {
  if (!fragment.startsWith(PREFIX)) return undefined;
  try {
    const choices = parseChoices(JSON.parse(decodeURIComponent(fragment.slice(PREFIX.length))));
    return Object.keys(choices).length > 0 ? choices : undefined;
  } catch {
    return undefined;
  }
}
