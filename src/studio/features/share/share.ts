import { choicesOf, type RecipeChoices } from '../../../plan/recipe.ts';
import { type ChosenModel, modelName } from '../model/slice.ts';
import { type CheckedRecipe, checkedRecipe } from '../plan/checked-recipe.ts';

/** The model that a link was made for; of files it can carry only the name. */
export type SharedModel = { readonly kind: 'embedded' | 'hub' | 'files'; readonly name: string };

/** What a link holds: choices that can be planned with, a sentence for each that cannot, and the model. */
export interface SharedLink extends CheckedRecipe {
  readonly model: SharedModel | undefined;
}

/** The address of this page with recipe and model in its fragment; the fragment never leaves the browser. */
export function shareLink(address: string, recipe: RecipeChoices, model: ChosenModel): string {
  const url = new URL(address);
  const { kind, name } = sharedModel(model);
  url.hash = `recipe=${encodeURIComponent(JSON.stringify(choicesOf(recipe)))}&model=${encodeURIComponent(`${kind}:${name}`)}`;
  return url.href;
}

/** A model as links name it. */
export function sharedModel(model: ChosenModel): SharedModel {
  return { kind: model.kind, name: modelName(model) };
}

/** What the fragment of an address holds; undefined when it is no link to a recipe. A damaged one holds nothing, and says so. */
export function linkFromFragment(fragment: string): SharedLink | undefined {
  if (!fragment.startsWith('#recipe=')) return undefined;
  const fields = new URLSearchParams(fragment.slice(1));
  const model = modelOf(fields.get('model') ?? '');
  try {
    return { ...checkedRecipe(JSON.parse(fields.get('recipe') ?? '')), model };
  } catch {
    return { choices: {}, refused: ['It was cut off or damaged on the way.'], model };
  }
}

function modelOf(text: string): SharedModel | undefined {
  const [, kind, name] = /^(embedded|hub|files):(.{1,300})$/.exec(text) ?? [];
  return kind && name ? { kind: kind as SharedModel['kind'], name } : undefined;
}
