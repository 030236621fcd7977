import { RECIPE_ENTRIES, type Recipe, type RecipeField } from './recipe.ts';

/** What is unusual about a recipe, in a few words each. */
export function recipeWords(recipe: Partial<Recipe>): readonly string[] {
  const words = new Set(
    RECIPE_ENTRIES.flatMap(([name, { words, usual }]) => {
      const value = recipe[name];
      return value === undefined || value === usual || isEmpty(value) || !words ? [] : [words(value)];
    }),
  );
  if (!words.delete('refined')) return [...words];
  // What was tuned is what refining found.
  words.delete('tuned');
  return ['refined', ...words];
}

/** A field of a recipe for people. */
export interface Setting {
  readonly name: string;
  readonly value: string;
}

/** All that a recipe says but of which model it is, in order. */
export function recipeSettings(recipe: Partial<Recipe>): readonly Setting[] {
  return RECIPE_ENTRIES.flatMap(([name, field]) => {
    const value = recipe[name];
    return name === 'model' || value === undefined || isEmpty(value)
      ? []
      : [{ name: field.name, value: told(field, value) }];
  });
}

/** What was chosen differently in two recipes; a field that one of them lacks has its usual value, or is said to be not set. */
export function recipeDifferences(
  first: Partial<Recipe>,
  second: Partial<Recipe>,
): readonly { readonly name: string; readonly first: string; readonly second: string }[] {
  return RECIPE_ENTRIES.flatMap(([name, field]) => {
    if (field.isRecorded) return [];
    const [a, b] = [first, second].map((recipe) => {
      const value = recipe[name] ?? field.usual;
      return value === undefined || isEmpty(value) ? 'not set' : told(field, value);
    }) as [string, string];
    return a === b ? [] : [{ name: field.name, first: a, second: b }];
  });
}

function told({ show }: RecipeField, value: unknown): string {
  return show ? show(value) : String(value);
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}
